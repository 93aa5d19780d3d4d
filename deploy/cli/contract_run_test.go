package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What is really written has no field beyond the tables, and all that are promised
// in every case.
func TestContractOfWhatIsWritten(t *testing.T) {
	dir := fleetOf(t, absent)
	result, status := fieldsOf(t, "result field"), append(fieldsOf(t, "status field"), "hosts", "lbs", "problems", "hosts[].lbs")
	for _, c := range commands(t) {
		words := slices.Concat([]string{c.Name, "--json", "-i", filepath.Join(dir, "inventory.toml")}, needed(c))
		for _, line := range written(flipdeploy(t, words...).stdout) {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				t.Fatalf("%q: %v: %s", words, err, line)
			}
			switch {
			case c.Name == "status":
				wantFields(t, words, object, status)
				holds(t, "status", keys(object, ""), "app lock unfinished hosts hosts[].name hosts[].reachable hosts[].release hosts[].revision "+
					"hosts[].running hosts[].healthy hosts[].lbs[].lb hosts[].lbs[].state hosts[].lbs[].sessions hosts[].lbs[].owner")
			case c.Name == "version":
				wantFields(t, words, object, append(result, "version"))
			case object["kind"] == "result":
				wantFields(t, words, object, result)
				holds(t, "result", keys(object, ""), "kind outcome exit hosts min_serving_seen bytes_sent bytes_artifact elapsed_ms")
			default:
				wantFields(t, words, object, fieldsOf(t, "event field"))
			}
		}
	}
}

func wantFields(t *testing.T, words []string, object map[string]any, known []string) {
	t.Helper()
	for _, k := range keys(object, "") {
		if !slices.Contains(known, k) {
			t.Errorf("%q: the field %s is in no table of README.md", words, k)
		}
	}
}

// keys are the paths of an object, as jsonFields has them.
func keys(v any, at string) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, kid := range v {
			path := strings.TrimPrefix(at+"."+k, ".")
			all = append(append(all, path), keys(kid, path)...)
		}
	case []any:
		for _, item := range v {
			if at == "evidence" {
				break
			}
			if _, object := item.(map[string]any); !object {
				all = append(all, at+"[]")
			}
			all = append(all, keys(item, at+"[]")...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// fleetOf lays an inventory and what it names into a new directory.
func fleetOf(t *testing.T, inventory string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string]string{"inventory.toml": inventory, "known_hosts": "", "shop": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
