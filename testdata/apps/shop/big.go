//go:build big

package main

import (
	"archive/tar"
	"archive/zip"
	"compress/bzip2"
	"compress/lzw"
	"crypto/dsa"
	"crypto/x509"
	"database/sql"
	"debug/dwarf"
	"debug/elf"
	"debug/gosym"
	"debug/macho"
	"debug/pe"
	"encoding/asn1"
	"encoding/csv"
	"encoding/xml"
	"expvar"
	"go/build"
	"go/doc"
	"go/format"
	"go/importer"
	"go/printer"
	"go/types"
	"html/template"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"index/suffixarray"
	"log/slog"
	"log/syslog"
	"net/http/cgi"
	"net/http/cookiejar"
	"net/http/fcgi"
	"net/http/httptest"
	"net/http/httputil"
	"net/http/pprof"
	"net/rpc"
	"net/rpc/jsonrpc"
	"net/smtp"
	"runtime/trace"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"testing/quick"
	"text/scanner"
	"text/tabwriter"
	_ "time/tzdata"
	"unicode"

	"golang.org/x/text/collate"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/language/display"
)

// ballast keeps whole packages linked in: the benchmarks send a real Go binary
// of about 20 MB, because padding would compress too well.
var ballast = []any{
	tar.NewReader, zip.OpenReader, bzip2.NewReader, lzw.NewWriter,
	dsa.Verify, x509.CreateCertificate, sql.Open,
	dwarf.New, elf.Open, gosym.NewTable, macho.OpenFat, pe.Open,
	asn1.Marshal, csv.NewReader, xml.NewDecoder, expvar.Do,
	build.Import, doc.NewFromFiles, format.Source, importer.Default, printer.Fprint, (&types.Config{}).Check,
	template.New, draw.DrawMask, gif.DecodeAll, jpeg.Encode, png.Encode, suffixarray.New,
	slog.NewJSONHandler, syslog.New, cgi.Serve, cookiejar.New, fcgi.Serve, httptest.NewTLSServer,
	httputil.NewSingleHostReverseProxy, pprof.Index, rpc.Dial, jsonrpc.Dial, smtp.SendMail,
	trace.Start, testing.Main, fstest.TestFS, iotest.TestReader, quick.Check,
	scanner.TokenString, tabwriter.NewWriter, unicode.Categories, unicode.Scripts,
	collate.New, charmap.All, display.Languages,
}

func init() {
	if len(ballast) == 0 {
		panic("no ballast")
	}
}
