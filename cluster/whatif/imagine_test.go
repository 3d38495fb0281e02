package whatif

import (
	"strings"
	"testing"
)

const imagined = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Node
metadata: {name: node-1}
status: {addresses: [{type: InternalIP, address: 172.18.0.2}]}
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Pod
    metadata: {name: web-1, labels: {app: web}}
    spec: {nodeName: node-1, containers: [{name: main, image: nginx}]}
    status: {phase: Running, podIP: 10.244.1.7, podIPs: [{ip: 10.244.1.7}], conditions: [{type: Ready, status: "True"}]}
  - apiVersion: v1
    kind: Pod
    metadata: {name: web-2, labels: {app: web}}
    spec: {nodeName: node-1, containers: [{name: main, image: nginx}]}
    status: {phase: Running, podIP: 10.244.1.8, podIPs: [{ip: 10.244.1.8}], conditions: [{type: Ready, status: "False"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template: {metadata: {labels: {app: api}}, spec: {containers: [{name: main, image: nginx}]}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, clusterIP: 10.96.0.50, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
status: {loadBalancer: {ingress: [{ip: 172.18.0.200, ipMode: VIP}]}}
`

// TestImagine: a cluster that no server has, with the controllers' slices.
func TestImagine(t *testing.T) {
	s, err := Imagine(imagined, "shop", "nftables")
	if err != nil {
		t.Fatal(err)
	}
	web := s.Service("shop", "web")
	if web == nil || web.ClusterIP() != "10.96.0.50" || len(web.Ingress) != 1 || web.Ingress[0].IP != "172.18.0.200" || web.Ports[0].NodePort != 30080 {
		t.Fatalf("%+v", web)
	}
	ready := map[string]bool{}
	for _, slice := range s.Slices {
		if slice.Service() != "web" {
			continue
		}
		if len(slice.Ports) != 1 || *slice.Ports[0].Port != 8080 || len(slice.Owners) != 1 || slice.Owners[0].UID != web.UID {
			t.Errorf("%+v", slice)
		}
		for i := range slice.Endpoints {
			ready[slice.Endpoints[i].Addresses[0]] = slice.Endpoints[i].IsReady()
		}
	}
	if len(ready) != 2 || !ready["10.244.1.7"] || ready["10.244.1.8"] {
		t.Errorf("endpoints %v", ready)
	}
	if s.Proxy.Mode != "nftables" || s.Nodes[0].InternalIP() != "172.18.0.2" || len(s.PodsIn("shop")) != 4 {
		t.Errorf("mode %q, node at %q, %d Pods", s.Proxy.Mode, s.Nodes[0].InternalIP(), len(s.PodsIn("shop")))
	}
}

func TestImagineRefuses(t *testing.T) {
	for manifest, want := range map[string]string{
		"":          "no objects",
		"kind: Pod": "apiVersion and kind",
		"apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: none}\nspec: {ports: [{port: 80}]}": `"none" not found`,
		"apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 99999}]}":               "port",
	} {
		namespace := "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n"
		if manifest == "" {
			namespace = ""
		}
		if _, err := Imagine(namespace+manifest, "shop", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", manifest, err, want)
		}
	}
}
