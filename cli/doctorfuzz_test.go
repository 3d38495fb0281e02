package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"svctour/cluster/files"
	"svctour/desk"
	"svctour/model/diagnose"
)

// hostileFiles are files that mean harm: escapes, endless names, thousands of ports,
// owners in a circle, nothing where something belongs.
func hostileFiles() []string {
	long, ports := strings.Repeat("x", 1<<20), strings.Builder{}
	for i := range 10_000 {
		fmt.Fprintf(&ports, "  - {name: p%d, port: %d, targetPort: q%d, protocol: TCP}\n", i, i+1, i)
	}
	running := func(name, labels, more string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s, uid: u-%s, labels: {%s}%s}\nspec: {containers: [{name: c, image: i}]}\nstatus: {phase: Running, podIP: 10.0.0.1, conditions: [{type: Ready, status: 'True'}]}\n---\n", name, name, labels, more)
	}
	return []string{
		"apiVersion: v1\nkind: Service\nmetadata: {name: \"w\\e[31mb\", namespace: \"\\e]0;x\\a\"}\nspec: {selector: {\"a\\e[2J\": \"b\\u202e\"}, ports: [{port: 80, name: \"\\e[H\"}]}\n---\n" + running("\"p\\e[5m\"", "\"a\\e[2J\": \"c\\u202e\"", ""),
		"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: " + long + "}, ports: [{port: 80}]}\n---\n" + running("p", "app: "+long[1:], ""),
		"apiVersion: v1\nkind: Service\nmetadata: {name: web, uid: u, resourceVersion: '1'}\nspec:\n  clusterIP: 10.96.0.9\n  selector: {app: web}\n  ports:\n" + ports.String() + "---\n" + running("p", "app: web", ""),
		"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n---\n" +
			running("p", "app: web", ", ownerReferences: [{apiVersion: v1, kind: ReplicaSet, name: p, uid: u-p, controller: true}]") +
			"apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: p, uid: u-p, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: p, uid: u-p, controller: true}]}\n",
		"apiVersion: v1\nkind: List\nitems: [null, {}, {apiVersion: v1, kind: Service}, {apiVersion: v1, kind: Pod, metadata: null, spec: null, status: null}, {apiVersion: apps/v1, kind: Deployment}]\n",
		"apiVersion: v1\nkind: Service\nmetadata: {name: out}\nspec: {type: ExternalName, externalName: \"a\\e[1mb.svc.cluster.local\"}\n",
		"apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Service\n  metadata:\n    name: web\n    uid: u\n# x\n- null\nkind: List\nmetadata:\n---\n{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n        {\n            \"apiVersion\": \"v1\",\n            \"kind\": \"Pod\"\n        }\n    ],\n    \"kind\": \"List\"\n}\napiVersion: v1\nitems:\n- ",
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: {podSelector: {}, ingress: [{from: [{}], ports: [{}]}], egress: [null]}\n",
	}
}

// checkHostile diagnoses a file: nothing panics, it ends in good time, and no
// control character comes to the terminal.
func checkHostile(t *testing.T, file string) {
	t.Helper()
	began := time.Now()
	snapshot, refused, err := files.Read(strings.NewReader(file), []string{"-"}, "")
	if err != nil {
		return
	}
	report := &diagnose.Report{Cluster: snapshot.Cluster, Services: diagnose.New(snapshot).All("", diagnose.Options{}), NotChecked: desk.Unread(snapshot)}
	addRefused(report, refused)
	for _, overview := range []bool{false, true} {
		for i, r := range reportText(report, textWidth, overview) {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Fatalf("%q at %d comes to the terminal", r, i)
			}
		}
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it takes %s", took)
	}
}

func TestHostileFiles(t *testing.T) {
	for i, file := range hostileFiles() {
		t.Run(fmt.Sprint(i), func(t *testing.T) { checkHostile(t, file) })
	}
}

// FuzzDoctorFile diagnoses files of any content.
func FuzzDoctorFile(f *testing.F) {
	for _, file := range hostileFiles() {
		if len(file) < 1<<16 {
			f.Add(file)
		}
	}
	if cases, err := os.ReadFile("../test/doctor/testdata/app.yaml"); err == nil {
		f.Add(string(cases))
	}
	f.Fuzz(func(t *testing.T, file string) {
		if len(file) > 1<<16 {
			return
		}
		checkHostile(t, file)
	})
}
