package files

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	sigsjson "sigs.k8s.io/json"
)

// The beginnings of a List as kubectl get prints it.
const (
	yamlDump = "apiVersion: v1\nitems:\n- "
	jsonDump = "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n        {"
)

// dumpKinds are the kinds of a dump that are read, by apiVersion.
var dumpKinds = map[string][]string{
	"v1": {"Service", "Endpoints", "Pod", "Node", "Namespace", "Event"}, "apps/v1": {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"},
	"batch/v1": {"Job"}, "discovery.k8s.io/v1": {"EndpointSlice"}, "networking.k8s.io/v1": {"NetworkPolicy"},
}

// piece is one item of a dump, without what stands around it.
type piece struct {
	index int
	text  []byte
}

// skipSeparators reads what stands before a document: blank lines and "---".
func skipSeparators(in *bufio.Reader) {
	for {
		begin, _ := in.Peek(len("---\n"))
		switch {
		case len(begin) > 0 && (begin[0] == '\n' || begin[0] == '\r'):
			_, _ = in.Discard(1)
		case string(begin) == "---\n":
			_, _ = in.Discard(len(begin))
		default:
			return
		}
	}
}

// readDump reads a List as kubectl prints it, item by item on all processors: a
// big cluster's is hundreds of megabytes. It says whether in began with one and
// leaves what comes behind it; if it did not, nothing of in was read.
func (f *fileReader) readDump(in *bufio.Reader) (bool, error) {
	var next func() ([]byte, error)
	if begin, _ := in.Peek(len(yamlDump)); string(begin) == yamlDump {
		next = yamlItems(in)
	} else if begin, _ := in.Peek(len(jsonDump)); string(begin) == jsonDump {
		next = jsonItems(in)
	} else {
		return false, nil
	}
	pieces := make(chan []piece, 2*runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	var rest []piece // for the slow way, in order
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			var fast plainYAML
			for batch := range pieces {
				for _, one := range batch {
					object, known := quickly(&fast, one.text)
					mu.Lock()
					switch {
					case object != nil:
						f.put(object)
					case known:
						rest = append(rest, one)
					}
					mu.Unlock()
				}
			}
		})
	}
	var failure error
	batch, index := []piece(nil), 0
	for failure == nil {
		text, err := next()
		if failure = err; err != nil {
			break
		}
		batch = append(batch, piece{index, text})
		if index++; len(batch) == 64 {
			pieces <- batch
			batch = nil
		}
	}
	pieces <- batch
	close(pieces)
	workers.Wait()
	if !errors.Is(failure, io.EOF) {
		return true, failure
	}
	slices.SortFunc(rest, func(a, b piece) int { return a.index - b.index })
	for _, one := range rest {
		if err := f.addText(one.text); err != nil {
			return true, err
		}
	}
	return true, nil
}

// quickly decodes an item that the API server has stored (it has a UID) and
// that is plain. Otherwise it says whether the item has to be read at all.
func quickly(fast *plainYAML, text []byte) (object kruntime.Object, known bool) {
	apiVersion, kind := head(text)
	if kind == "" {
		return nil, true
	}
	if !slices.Contains(dumpKinds[apiVersion], kind) {
		return nil, false
	}
	plain := text
	if text[0] != '{' {
		var ok bool
		if plain, ok = fast.parse(text); !ok {
			return nil, true
		}
	}
	version, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return nil, true
	}
	if object, err = legacyscheme.Scheme.New(version.WithKind(kind)); err != nil {
		return nil, true
	}
	if err := sigsjson.UnmarshalCaseSensitivePreserveInts(plain, object); err != nil {
		return nil, true
	}
	about, is := object.(metav1.Object)
	if !is || about.GetUID() == "" || about.GetNamespace() == "" && kind != "Node" && kind != "Namespace" {
		return nil, true
	}
	return object, true
}

// head is what an item's first two fields say that it is, as kubectl sorts them;
// "" if they are others.
func head(text []byte) (apiVersion, kind string) {
	words := bytes.Fields(text[:min(len(text), 120)])
	if len(words) > 0 && text[0] == '{' { // {, "apiVersion":, "v1",
		words = words[1:]
	}
	if len(words) < 4 || string(bytes.Trim(words[0], `":`)) != "apiVersion" || string(bytes.Trim(words[2], `":`)) != "kind" {
		return "", ""
	}
	return string(bytes.Trim(words[1], `",`)), string(bytes.Trim(words[3], `",`))
}

// yamlItems gives the items of a YAML List, with their indent taken away, and
// then reads the List's own kind and metadata.
func yamlItems(in *bufio.Reader) func() ([]byte, error) {
	_, _ = in.Discard(len(yamlDump) - len("- "))
	var item []byte
	done := false
	return func() ([]byte, error) {
		for !done {
			if begin, _ := in.Peek(2); len(begin) > 0 && !bytes.ContainsAny(begin[:1], " \t\r\n#") && string(begin) != "- " {
				done = true
				if err := yamlEnd(in); err != nil {
					return nil, err
				}
				break
			}
			line, err := readLine(in)
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
			done = err != nil
			full := item
			switch {
			case bytes.HasPrefix(line, []byte("- ")):
				item = append(make([]byte, 0, max(4096, len(line))), line[2:]...)
				if full != nil {
					return full, nil
				}
			case bytes.HasPrefix(line, []byte("  ")):
				item = append(item, line[2:]...)
			case len(bytes.TrimSpace(line)) == 0:
				item = append(item, line...)
			case line[0] != '#':
				return nil, errors.New("a List's items have to be indented by two spaces")
			}
		}
		if item != nil {
			last := item
			item = nil
			return last, nil
		}
		return nil, io.EOF
	}
}

// yamlEnd reads what kubectl prints behind the items. Anything else begins
// another document, with "---" before it or, by mistake, without.
func yamlEnd(in *bufio.Reader) error {
	for {
		begin, _ := in.Peek(len("metadata:"))
		if len(begin) == 0 || !bytes.ContainsAny(begin[:1], " \t\r\n#") && !bytes.HasPrefix(begin, []byte("kind:")) && string(begin) != "metadata:" {
			return nil
		}
		if _, err := readLine(in); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
}

// readLine gives the next line; it is valid until the next read.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	line = slices.Clone(line)
	more, err := in.ReadBytes('\n')
	return append(line, more...), err
}

// jsonItems gives the items of a JSON List, and then reads the rest of it.
func jsonItems(in *bufio.Reader) func() ([]byte, error) {
	_, _ = in.Discard(len(jsonDump) - len("        {"))
	return func() ([]byte, error) {
		var item []byte
		for {
			line, err := in.ReadBytes('\n')
			if err != nil {
				return nil, io.ErrUnexpectedEOF
			}
			switch {
			case bytes.HasPrefix(line, []byte("    ]")) && item == nil:
				if err := jsonEnd(in); err != nil {
					return nil, err
				}
				return nil, io.EOF
			case bytes.HasPrefix(line, []byte("        }")):
				return append(item, '}'), nil
			case item == nil:
				item = append(make([]byte, 0, 4096), bytes.TrimLeft(line, " ")...)
			default:
				item = append(item, bytes.TrimLeft(line, " ")...)
			}
		}
	}
}

// jsonEnd reads what kubectl prints behind the items, up to the List's brace.
func jsonEnd(in *bufio.Reader) error {
	for {
		first, err := in.ReadByte()
		switch {
		case err != nil:
			return io.ErrUnexpectedEOF
		case first == '}':
			return nil
		case first != ' ':
			return errors.New("a List does not end as kubectl ends it")
		}
		if _, err := readLine(in); err != nil {
			return io.ErrUnexpectedEOF
		}
	}
}
