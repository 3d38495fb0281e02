package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"svctour/model/diagnose"
	"svctour/test/fakecluster"
)

// A Service whose slice has the Pods old and new, and a dump in which old is
// gone: it was deleted after the slices were listed, or the controller is dead.
const tornDump = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, uid: uid-web, resourceVersion: '1'}
spec: {clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9], selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: new, namespace: shop, uid: uid-new, labels: {app: web}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 8080}]}]}
status: {phase: Running, podIP: 10.244.0.2, podIPs: [{ip: 10.244.0.2}], conditions: [{type: Ready, status: 'True'}], containerStatuses: [{name: c, ready: true, state: {running: {}}}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-x, namespace: shop, labels: {kubernetes.io/service-name: web, endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io}}
addressType: IPv4
ports: [{port: 8080, protocol: TCP}]
endpoints:
- {addresses: [10.244.0.1], conditions: {ready: true}, targetRef: {kind: Pod, name: old, namespace: shop, uid: uid-old}}
- {addresses: [10.244.0.2], conditions: {ready: true}, targetRef: {kind: Pod, name: new, namespace: shop, uid: uid-new}}
`

// TestTornDump: what may be over in a moment is only possible in a dump.
func TestTornDump(t *testing.T) {
	var out, errs bytes.Buffer
	code := Main(context.Background(), Streams{In: strings.NewReader(tornDump), Out: &out, Err: &errs}, []string{"svctour", "doctor", "-f", "-", "-o", "json"})
	var report diagnose.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || code != 1 || len(report.Services) != 1 {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, out.String(), errs.String())
	}
	s := report.Services[0]
	if len(s.Findings) == 0 || s.Findings[0].Rule != "endpoints-stale" || s.Findings[0].Confidence != diagnose.Possible || len(s.NotChecked) == 0 {
		t.Errorf("%+v, not checked: %v", s.Findings, s.NotChecked)
	}
}

// TestRefusedByTheCluster: what only some clusters refuse is a note.
func TestRefusedByTheCluster(t *testing.T) {
	for spec, c := range map[string]struct {
		code     int
		severity diagnose.Severity
		headline string
	}{
		"ipFamilies: [IPv6], ports: [{port: 80}]":              {0, diagnose.Info, "The API server refuses this Service unless the cluster has IPv6: spec.ipFamilies[0]"},
		"type: NodePort, ports: [{port: 80, nodePort: 8080}]":  {0, diagnose.Info, "unless the API server's --service-node-port-range has the port: spec.ports[0].nodePort"},
		"type: NodePort, ports: [{port: 80, nodePort: 99999}]": {1, diagnose.Error, "The API server refuses this Service: spec.ports[0].nodePort"},
	} {
		file := "apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\nspec: {containers: [{name: c, image: i, ports: [{containerPort: 80}]}]}\n---\n" +
			"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, " + spec + "}\n"
		var out, errs bytes.Buffer
		code := Main(context.Background(), Streams{In: strings.NewReader(file), Out: &out, Err: &errs}, []string{"svctour", "doctor", "-f", "-", "-o", "json"})
		var report diagnose.Report
		if err := json.Unmarshal(out.Bytes(), &report); err != nil || code != c.code || len(report.Services) != 1 || len(report.Services[0].Findings) == 0 {
			t.Errorf("%s: exit code %d, %v\n%s%s", spec, code, err, out.String(), errs.String())
			continue
		}
		if f := report.Services[0].Findings[0]; f.Rule != "refused" || f.Severity != c.severity || !strings.Contains(f.Headline, c.headline) {
			t.Errorf("%s: %s %s: %s", spec, f.Severity, f.Rule, f.Headline)
		}
	}
}

// TestInterrupted: who ends a command gets no verdict.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs bytes.Buffer
	code := Main(ctx, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, []string{"svctour", "doctor", "web", "--kubeconfig", fakecluster.Kubeconfig(t, "http://127.0.0.1:1")})
	if code != exitInterrupted || errs.String() != "svctour: interrupted\n" || out.Len() > 0 {
		t.Errorf("exit code %d, %q%q", code, out.String(), errs.String())
	}
}

// Two Services of one Pod, and a client that a policy lets out to DNS only.
const keptIn = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9], selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: door, namespace: shop}
spec: {clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10], selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, uid: uid-web-1, labels: {app: web}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 8080}]}]}
status: {phase: Running, podIP: 10.244.0.2, podIPs: [{ip: 10.244.0.2}], conditions: [{type: Ready, status: 'True'}], containerStatuses: [{name: c, ready: true, state: {running: {}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop, uid: uid-client, labels: {run: client}}
spec: {containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.244.0.3, podIPs: [{ip: 10.244.0.3}], conditions: [{type: Ready, status: 'True'}], containerStatuses: [{name: c, ready: true, state: {running: {}}}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out, namespace: shop}
spec: {podSelector: {matchLabels: {run: client}}, policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}]}
`

// TestClientOfAllServices: --from asks for every Service, not only for named ones.
func TestClientOfAllServices(t *testing.T) {
	doctor := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := Main(context.Background(), Streams{In: strings.NewReader(keptIn), Out: &out, Err: &errs}, append([]string{"svctour", "doctor", "-f", "-"}, args...))
		return code, out.String() + errs.String()
	}
	if code, text := doctor("-n", "shop"); code != 0 {
		t.Fatalf("without a client: exit code %d\n%s", code, text)
	}
	for _, args := range [][]string{{"-n", "shop", "--from", "pod/client"}, {"--from", "pod/shop/client"}, {"-n", "shop", "--from", "pod/client", "web", "door"}} {
		code, text := doctor(append(args, "-o", "json")...)
		var report diagnose.Report
		if err := json.Unmarshal([]byte(text), &report); err != nil || code != 1 || len(report.Services) != 2 {
			t.Fatalf("%q: exit code %d, %v\n%s", args, code, err, text)
		}
		for _, s := range report.Services {
			if len(s.Findings) == 0 || s.Findings[0].Rule != "client-egress" {
				t.Errorf("%q: %s: %+v", args, s.Name, s.Findings)
			}
		}
	}
	if _, text := doctor("--from", "pod/shop/client"); !strings.Contains(strings.Join(strings.Fields(text), " "), "(client-egress): shop/door, shop/web ") {
		t.Errorf("not grouped by cause:\n%s", text)
	}
}

// TestFilesWithoutAService: nothing was examined, so nothing is well.
func TestFilesWithoutAService(t *testing.T) {
	pod := keptIn[strings.Index(keptIn, "apiVersion: v1\nkind: Pod"):]
	for _, c := range []struct {
		text, want string
		args       []string
	}{
		{pod, "there is no Service in the files", nil},
		{pod, "there is no Service in the files", []string{"-A"}},
		{keptIn, `there is no Service of namespace "other" in the files`, []string{"-n", "other"}},
	} {
		var out, errs bytes.Buffer
		code := Main(context.Background(), Streams{In: strings.NewReader(c.text), Out: &out, Err: &errs}, append([]string{"svctour", "doctor", "-f", "-"}, c.args...))
		if code != exitUsage || errs.String() != "svctour: "+c.want+"\n" {
			t.Errorf("%q: exit code %d, %q, want %q", c.args, code, errs.String(), c.want)
		}
	}
}
