package etcd

import (
	"encoding/base64"
	"encoding/json"
)

// The part of etcd's JSON that is spoken here. []byte is base64 in it, numbers of 64 bits
// are strings.

type header struct {
	ClusterID string `json:"cluster_id"`
	Revision  string `json:"revision"`
}

type keyValue struct {
	Key     []byte `json:"key"`
	Value   []byte `json:"value"`
	Created string `json:"create_revision"`
	Changed string `json:"mod_revision"`
	Lease   string `json:"lease"`
}

// A rangeRequest is linearizable, as its zero value is: no member answers it alone.
type rangeRequest struct {
	Key   []byte `json:"key"`
	End   []byte `json:"range_end,omitempty"`
	Limit int    `json:"limit,omitempty"`
	Order string `json:"sort_order,omitempty"`
}

type rangeResponse struct {
	Header header     `json:"header"`
	KVs    []keyValue `json:"kvs"`
	More   bool       `json:"more"`
}

type putRequest struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
	Lease string `json:"lease,omitempty"`
}

type deleteRequest struct {
	Key []byte `json:"key"`
	End []byte `json:"range_end,omitempty"`
}

// An op is one of them.
type op struct {
	Range  *rangeRequest  `json:"request_range,omitempty"`
	Put    *putRequest    `json:"request_put,omitempty"`
	Delete *deleteRequest `json:"request_delete_range,omitempty"`
}

type compare struct {
	Target  string       `json:"target"`
	Result  string       `json:"result"`
	Key     []byte       `json:"key"`
	Created string       `json:"create_revision,omitempty"`
	Changed string       `json:"mod_revision,omitempty"`
	Value   *base64Bytes `json:"value,omitempty"`
}

// base64Bytes are bytes that may be empty and are written all the same.
type base64Bytes []byte

func (b base64Bytes) MarshalJSON() ([]byte, error) {
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

type txnRequest struct {
	Compare []compare `json:"compare"`
	Success []op      `json:"success,omitempty"`
	Failure []op      `json:"failure,omitempty"`
}

type txnResponse struct {
	Succeeded bool `json:"succeeded"`
	Responses []struct {
		Range *rangeResponse `json:"response_range"`
	} `json:"responses"`
}

// at is the first key of the answer to the nth op, nil without one.
func (r *txnResponse) at(n int) *keyValue {
	if n >= len(r.Responses) || r.Responses[n].Range == nil || len(r.Responses[n].Range.KVs) == 0 {
		return nil
	}
	return &r.Responses[n].Range.KVs[0]
}

type leaseRequest struct {
	TTL string `json:"TTL,omitempty"`
	ID  string `json:"ID"`
}

// A keepAlive is the one answer in its stream; a lease that is gone has no TTL.
type keepAlive struct {
	Result struct {
		TTL string `json:"TTL"`
	} `json:"result"`
	Error *refusal `json:"error"`
}

func put(key []byte, value, lease string) op {
	return op{Put: &putRequest{Key: key, Value: []byte(value), Lease: lease}}
}

func get(key []byte) op { return op{Range: &rangeRequest{Key: key}} }

// absent holds where there is no such key.
func absent(key []byte) compare {
	return compare{Target: "CREATE", Result: "EQUAL", Key: key, Created: "0"}
}

func created(key []byte, revision string) compare {
	return compare{Target: "CREATE", Result: "EQUAL", Key: key, Created: revision}
}

func changed(key []byte, revision string) compare {
	return compare{Target: "MOD", Result: "EQUAL", Key: key, Changed: revision}
}

func holds(key []byte, value string) compare {
	v := base64Bytes(value)
	return compare{Target: "VALUE", Result: "EQUAL", Key: key, Value: &v}
}

// after is the first key behind all that begin with prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	end[len(end)-1]++ // a slash, never 0xff
	return end
}
