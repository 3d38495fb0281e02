package whatif

import (
	"strings"
	"testing"

	"svctour/model"
)

// patch is a strategic merge patch.
func patch(kind, name, data string) model.Edit {
	return model.Edit{Patch: &model.Patch{Object: model.Ref{Kind: kind, Name: name}, Data: data}}
}

func manifest(text string) model.Edit { return model.Edit{Manifest: text} }

func deletion(kind, name string) model.Edit {
	return model.Edit{Delete: &model.Ref{Kind: kind, Name: name}}
}

// webService is the manifest of Service web, with the lines of its spec.
func webService(spec string) model.Edit {
	return manifest("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {" + spec + "}\n")
}

// TestEdits makes edits of the bench's cluster. Of what is shown of the cluster
// after, each case names the lines that it did not have before, and those that
// are gone.
func TestEdits(t *testing.T) {
	for _, c := range []struct {
		name        string
		edit        model.Edit
		come, gone  string
		open, error string
	}{
		{name: "nothing", edit: patch("Service", "web", "{}")},
		{
			name: "another port", edit: webService("selector: {app: web}, ports: [{port: 81, targetPort: http}]"),
			come: "service web ClusterIP 10.96.0.5 81→http", gone: "service web ClusterIP 10.96.0.5 80→8080",
		},
		{
			name: "a selector that matches nothing", edit: patch("Service", "web", "spec: {selector: {app: wep}}"),
			gone: "endpoint web 10.244.1.7:8080 ready on \"node-1\"\nendpoint web 10.244.2.7:8080 ready on \"node-2\"",
		},
		{
			name: "a selector that matches another Pod", edit: patch("Service", "web", "spec: {selector: {app: lone}}"),
			come: "endpoint web 10.244.1.9:8080 ready on \"node-1\"",
			gone: "endpoint web 10.244.1.7:8080 ready on \"node-1\"\nendpoint web 10.244.2.7:8080 ready on \"node-2\"",
		},
		{
			name: "a new Service", edit: manifest("apiVersion: v1\nkind: Service\nmetadata: {name: two}\nspec: {selector: {app: lone}, ports: [{port: 80}]}"),
			come: "endpoint two 10.244.1.9:80 ready on \"node-1\"\nservice two ClusterIP some ClusterIP 80→80",
			open: "some ClusterIP",
		},
		{
			name: "NodePort", edit: patch("Service", "web", "spec: {type: NodePort}"),
			come: "service web NodePort 10.96.0.5 80→8080:some nodePort", gone: "service web ClusterIP 10.96.0.5 80→8080", open: "some nodePort",
		},
		{
			name: "a nodePort that is asked for", edit: patch("Service", "web", "spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}"),
			come: "service web NodePort 10.96.0.5 80→8080:30080", gone: "service web ClusterIP 10.96.0.5 80→8080",
		},
		{
			name: "load balancer", edit: patch("Service", "web", "spec: {type: LoadBalancer}"),
			come: "service web LoadBalancer 10.96.0.5 80→8080:some nodePort", gone: "service web ClusterIP 10.96.0.5 80→8080",
			open: "whether a controller gives the load balancer an address, and which",
		},
		{
			name: "ExternalName", edit: patch("Service", "web", "spec: {type: ExternalName, externalName: example.com}"),
			come: "service web ExternalName  80→8080", gone: "service web ClusterIP 10.96.0.5 80→8080",
		},
		{
			name: "headless", edit: manifest("apiVersion: v1\nkind: Service\nmetadata: {name: two}\nspec: {clusterIP: None, selector: {app: lone}, ports: [{port: 80, targetPort: http}]}"),
			come: "endpoint two 10.244.1.9:8080 ready on \"node-1\"\nservice two ClusterIP None 80→http",
		},
		{
			name: "more replicas", edit: patch("Deployment", "web", "spec: {replicas: 4}"),
			come: "endpoint web the address of new Pod 1:8080 ready on \"\"\nendpoint web the address of new Pod 2:8080 ready on \"\"\npod new Pod 1 ready true\npod new Pod 2 ready true",
			open: "which node it runs on",
		},
		{
			name: "no replicas", edit: patch("Deployment", "web", "spec: {replicas: 0}"),
			gone: "endpoint web 10.244.1.7:8080 ready on \"node-1\"\nendpoint web 10.244.2.7:8080 ready on \"node-2\"\npod web-a ready true\npod web-b ready true",
		},
		{
			name: "another template", edit: patch("Deployment", "web", "spec: {template: {spec: {containers: [{name: web, env: [{name: A, value: b}]}]}}}"),
			come: "endpoint web the address of new Pod 1:8080 ready on \"\"\nendpoint web the address of new Pod 2:8080 ready on \"\"\npod new Pod 1 ready true\npod new Pod 2 ready true",
			gone: "endpoint web 10.244.1.7:8080 ready on \"node-1\"\nendpoint web 10.244.2.7:8080 ready on \"node-2\"\npod web-a ready true\npod web-b ready true",
			open: "whether its containers get ready",
		},
		{
			name: "a rollout that gets stuck", edit: patch("Deployment", "web", "spec: {template: {spec: {readinessGates: [{conditionType: example.com/in}]}}}"),
			come: "endpoint web the address of new Pod 1:8080 not ready on \"\"\npod new Pod 1 ready false",
			open: "when its readiness gates are set",
		},
		{
			name: "a Pod leaves its ReplicaSet", edit: patch("Pod", "web-a", "metadata: {labels: {app: loose}}"),
			come: "endpoint web the address of new Pod 1:8080 ready on \"\"\npod new Pod 1 ready true",
			gone: "endpoint web 10.244.1.7:8080 ready on \"node-1\"",
		},
		{
			name: "a Pod is deleted", edit: deletion("Pod", "web-a"),
			come: "endpoint web the address of new Pod 1:8080 ready on \"\"\npod new Pod 1 ready true",
			gone: "endpoint web 10.244.1.7:8080 ready on \"node-1\"\npod web-a ready true",
		},
		{
			name: "a Deployment is deleted", edit: deletion("Deployment", "web"),
			gone: "endpoint web 10.244.1.7:8080 ready on \"node-1\"\nendpoint web 10.244.2.7:8080 ready on \"node-2\"\npod web-a ready true\npod web-b ready true",
		},
		{
			name: "a Service is deleted", edit: deletion("Service", "web"),
			gone: "endpoint web 10.244.1.7:8080 ready on \"node-1\"\nendpoint web 10.244.2.7:8080 ready on \"node-2\"\nservice web ClusterIP 10.96.0.5 80→8080",
		},
		{
			name: "a Pod gets ready that has a gate", edit: model.Edit{Patch: &model.Patch{
				Object: model.Ref{Kind: "Pod", Name: "lone"}, Subresource: "status", Data: `status: {conditions: [{type: Ready, status: "False"}]}`,
			}}, // its kubelet knows better
		},
		{
			name: "StatefulSet", edit: manifest("apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {serviceName: db, replicas: 2, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: nginx}]}}}"),
			come: "pod db-0 ready true\npod db-1 ready true", open: "the address of new Pod db-0",
		},

		{name: "port 70000", edit: webService("selector: {app: web}, ports: [{port: 70000}]"),
			error: `Service "web" is invalid: [spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive, spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive]`},
		{name: "a bad name", edit: manifest("apiVersion: v1\nkind: Service\nmetadata: {name: Web}\nspec: {ports: [{port: 80}]}"), error: `Service "Web" is invalid: metadata.name: Invalid value: "Web"`},
		{name: "another cluster IP", edit: patch("Service", "web", "spec: {clusterIP: 10.96.0.6, clusterIPs: [10.96.0.6]}"), error: "may not change once set"},
		{name: "an immutable selector", edit: patch("Deployment", "web", "spec: {selector: {matchLabels: {app: wep}}}"), error: "field is immutable"},
		{name: "an unknown field", edit: webService("selectors: {app: web}"), error: `Service in version "v1" cannot be handled as a Service: strict decoding error: unknown field "spec.selectors"`},
		{name: "a nodePort out of range", edit: patch("Service", "web", "spec: {type: NodePort, ports: [{port: 80, nodePort: 80}]}"), error: "provided port is not in the valid range. The range of valid ports is 30000-32767"},
		{name: "a cluster IP out of range", edit: manifest("apiVersion: v1\nkind: Service\nmetadata: {name: two}\nspec: {clusterIP: 10.97.0.1, ports: [{port: 80}]}"), error: "is not in the valid range. The range of valid IPs is 10.96.0.0/16"},
		{name: "a cluster IP in use", edit: manifest("apiVersion: v1\nkind: Service\nmetadata: {name: two}\nspec: {clusterIP: 10.96.0.5, ports: [{port: 80}]}"), error: "provided IP is already allocated"},
		{name: "a patch of nothing", edit: patch("Service", "wep", "{}"), error: `services "wep" not found`},
		{name: "an unknown namespace", edit: manifest("apiVersion: v1\nkind: Service\nmetadata: {name: two, namespace: none}\nspec: {ports: [{port: 80}]}"), error: `namespaces "none" not found`},
		{name: "an empty manifest", edit: manifest("# nothing"), error: "no objects passed to apply"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			p, err := b.do(t, c.edit)
			if c.error != "" {
				if err == nil || !strings.Contains(err.Error(), c.error) {
					t.Fatalf("got %v\nwant %s", err, c.error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			before, after := shown(&model.Planned{Snapshot: b.snapshot}), shown(p)
			if got := without(after, before); got != c.come {
				t.Errorf("comes\n%s\nwant\n%s", got, c.come)
			}
			if got := without(before, after); got != c.gone {
				t.Errorf("goes\n%s\nwant\n%s", got, c.gone)
			}
			var open []string
			for _, o := range p.Open {
				open = append(open, o.Words)
			}
			if !strings.Contains(strings.Join(open, "\n"), c.open) || len(open) > 0 && c.open == "" && c.come == "" {
				t.Errorf("open\n%s\nwant %s", strings.Join(open, "\n"), c.open)
			}
			if c.come+c.gone == "" && len(p.Marks) > 0 {
				t.Errorf("marks without a change:\n%s", marked(p))
			}
		})
	}
}

// without gives the lines of a text that another does not have.
func without(text, other string) string {
	has := map[string]bool{}
	for _, line := range strings.Split(other, "\n") {
		has[line] = true
	}
	var out []string
	for _, line := range strings.Split(text, "\n") {
		if !has[line] {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// What was not read is not told as absent.
func TestUnreadIsNotAbsent(t *testing.T) {
	for _, resource := range []string{"services", "endpointslices", "pods"} {
		b := newBench(t)
		s := *b.snapshot
		s.Sync.Missing = map[string]string{resource: "forbidden"}
		b.snapshot = model.NewSnapshot(s)
		if _, err := b.do(t, patch("Service", "web", "{}")); err == nil || !strings.Contains(err.Error(), resource+": forbidden") {
			t.Errorf("without %s: %v", resource, err)
		}
	}
}

// One edit may hold several objects; the later see the earlier.
func TestSeveralObjects(t *testing.T) {
	b := newBench(t)
	p, err := b.do(t, manifest("apiVersion: v1\nkind: Namespace\nmetadata: {name: new}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: two, namespace: new}\nspec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if svc := p.Snapshot.Service("new", "two"); svc == nil || svc.ClusterIP() != "10.96.0.9" || p.Marks[svc.UID] != model.Added {
		t.Errorf("the Service in the new namespace is %+v", svc)
	}
	if _, err := b.do(t, manifest("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: one}, spec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}}\n- {apiVersion: v1, kind: Service, metadata: {name: two}, spec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}}\n")); err == nil || !strings.Contains(err.Error(), "already allocated") {
		t.Errorf("two Services with one address: %v", err)
	}
	if p, err := b.do(t, deletion("Namespace", "shop")); err != nil || len(p.Snapshot.Pods)+len(p.Snapshot.Services)+len(p.Snapshot.Slices)+len(p.Snapshot.Deployments) > 0 {
		t.Errorf("something is left of the namespace: %v\n%s", err, marked(p))
	}
}

// A NetworkPolicy is shown with the defaults that the API server gives it.
func TestNetworkPolicy(t *testing.T) {
	p, err := newBench(t).do(t, manifest("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\nspec: {podSelector: {}}"))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Snapshot.Policies) != 1 || p.Snapshot.Policies[0].Ingress == nil || p.Snapshot.Policies[0].Egress != nil {
		t.Errorf("the policy is %+v", p.Snapshot.Policies)
	}
}

// Kinds that a snapshot does not show are open, and no error.
func TestUnknownKind(t *testing.T) {
	p, err := newBench(t).do(t, manifest("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}"))
	if err != nil || len(p.Marks) > 0 || len(p.Open) != 1 || p.Open[0].Words != "what v1 ConfigMap c changes" {
		t.Errorf("%+v, %v", p, err)
	}
}
