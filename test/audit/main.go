// Command audit says what svctour wrote to a cluster outside of one namespace, as
// the API server's own audit log has it. The exit code is 1 when it wrote anything.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

func main() {
	namespace := flag.String("n", "svctour-auto", "the namespace that it may write to, and create")
	flag.Parse()
	inside, outside, err := writes(os.Stdin, *namespace)
	for _, line := range outside {
		fmt.Println(line)
	}
	if err == nil && inside == 0 {
		err = errors.New("it wrote nothing at all: is this the log of its cluster?")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "audit:", err)
		os.Exit(2)
	}
	fmt.Printf("%d writes inside of %s, %d outside\n", inside, *namespace, len(outside))
	if len(outside) > 0 {
		os.Exit(1)
	}
}

// reading are the verbs that change nothing.
var reading = []string{"get", "list", "watch"}

// writes tells svctour's writes inside and outside of a namespace apart. To create
// the namespace itself, and to ask for one's own rights, is no write outside.
func writes(log io.Reader, namespace string) (inside int, outside []string, err error) {
	for decoder := json.NewDecoder(log); ; {
		var e auditv1.Event
		switch err := decoder.Decode(&e); {
		case errors.Is(err, io.EOF):
			return inside, outside, nil
		case err != nil:
			return inside, outside, err
		case e.ObjectRef == nil, !strings.HasPrefix(e.UserAgent, "svctour"), slices.Contains(reading, e.Verb), e.Stage != auditv1.StageResponseComplete,
			e.ObjectRef.APIGroup == "authorization.k8s.io":
			continue
		}
		switch o := e.ObjectRef; {
		case o.Namespace == namespace, o.Resource == "namespaces" && o.Name == namespace:
			inside++
		default:
			outside = append(outside, fmt.Sprintf("%s %s %s %s/%s", e.RequestReceivedTimestamp.UTC().Format("15:04:05"), e.Verb, o.Resource, o.Namespace, o.Name))
		}
	}
}
