package kubectl

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestInspectAllows(t *testing.T) {
	for line, want := range map[string]command{
		"get pods":                                     {},
		"get pods -o wide -n web":                      {namespace: "web"},
		"get pods,svc -Aw":                             {all: true},
		"get po -A -o=json":                            {all: true},
		"get svc -nweb":                                {namespace: "web"},
		"get svc -n=web":                               {namespace: "web"},
		"get svc --namespace=web --show-labels":        {namespace: "web"},
		"get nodes":                                    {},
		"get all -A":                                   {all: true},
		"get -l -n pods":                               {}, // "-n" is the selector's value, as it is to pflag
		"describe service web":                         {},
		"logs web-1 -f --tail=5":                       {},
		"explain service.spec --recursive":             {},
		"api-resources":                                {},
		"version --client":                             {},
		"cluster-info":                                 {},
		"events --for pod/web":                         {},
		"top pods -A":                                  {all: true},
		"auth can-i create pods -n web":                {namespace: "web"},
		"rollout status deployment/web":                {},
		"rollout history deploy web":                   {},
		"wait --for=condition=Ready pod/web":           {},
		"apply -f - -n tour":                           {writes: true, namespace: "tour", manifest: true},
		"apply --filename=- --server-side":             {writes: true, manifest: true},
		"create -f -":                                  {writes: true, manifest: true},
		"create deployment web --image=x --replicas=3": {writes: true},
		"create deploy web --image=x -- serve -p 80":   {writes: true},
		"create svc nodeport web --tcp=80:8080":        {writes: true},
		"delete pod web-1 -n tour":                     {writes: true, namespace: "tour"},
		"delete pod/a svc/b":                           {writes: true},
		"delete deployments.apps,services --all":       {writes: true},
		"delete -f -":                                  {writes: true, manifest: true},
		"scale deployment web --replicas 5":            {writes: true},
		"rollout restart deploy/web":                   {writes: true},
		"rollout undo deployment web":                  {writes: true},
		"expose deployment web --port=80":              {writes: true},
		"label pod web-1 app=other --overwrite":        {writes: true},
		"label pod web-1 node/role=x":                  {writes: true},
		"annotate svc/web note-":                       {writes: true},
		"patch svc web -p {\"spec\":{}}":               {writes: true},
		"set image deployment/web web=x:2":             {writes: true},
		"set selector svc/web app=web":                 {writes: true},
		"run tmp --image=x --restart=Never -i --rm":    {writes: true},
		"run tmp --image=x -- --context y":             {writes: true},
		"exec web-1 -c app -- wget -n -qO- -A svc":     {writes: true, executes: true},
		"exec deploy/web -- hostname":                  {writes: true, executes: true},
	} {
		got, err := inspect(strings.Fields(line))
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", line, got, err, want)
		}
	}
}

func TestInspectRefuses(t *testing.T) {
	for line, reason := range map[string]string{
		"":                                           "type a kubectl command",
		"-n web get pods":                            "put the command first",
		"--context=x get pods":                       "put the command first",
		"edit svc web":                               "terminal of your own",
		"proxy":                                      "terminal of your own",
		"port-forward svc/web 80":                    "terminal of your own",
		"cp a b":                                     "terminal of your own",
		"debug node/n":                               "terminal of your own",
		"attach web":                                 "terminal of your own",
		"drain node-1":                               "terminal of your own",
		"cordon node-1":                              "terminal of your own",
		"taint nodes n a=b:NoSchedule":               "terminal of your own",
		"config use-context x":                       "terminal of your own",
		"plugin list":                                "terminal of your own",
		"certificate approve x":                      "terminal of your own",
		"diff -f -":                                  "terminal of your own",
		"kustomize .":                                "terminal of your own",
		"autoscale deploy web":                       "terminal of your own",
		"__complete get":                             "terminal of your own",
		"rollout -n web restart deploy/web":          "terminal of your own",
		"auth reconcile -f -":                        "terminal of your own",
		"cluster-info dump":                          "files of this machine",
		"create namespace x":                         "leaves the namespace",
		"create ns x":                                "does not run this",
		"create clusterrole x --verb=get":            "leaves the namespace",
		"create token x":                             "acts as another user",
		"create -f web.yaml":                         "can only be \"-\"",
		"create":                                     "say what to write",
		"apply -f https://example.com/x.yaml":        "can only be \"-\"",
		"apply -f ./dir":                             "can only be \"-\"",
		"apply -fx.yaml":                             "can only be \"-\"",
		"apply -f - -f x.yaml":                       "given 2 times",
		"apply -k .":                                 "files of this machine",
		"apply --prune -f -":                         "leaves the namespace",
		"apply view-last-applied -f -":               "is not of use here",
		"apply edit-last-applied -f -":               "runs a program",
		"delete namespace tour":                      "does not change \"namespace\"",
		"delete ns/tour":                             "does not change \"ns\"",
		"delete node node-1":                         "does not change \"node\"",
		"delete pod/a ns/b":                          "does not change \"ns\"",
		"delete pod/a b":                             "not TYPE/NAME",
		"delete pods,nodes --all":                    "does not change \"nodes\"",
		"delete pv x":                                "does not change",
		"delete crd x":                               "does not change",
		"delete clusterrole x":                       "does not change",
		"delete sa default":                          "does not change",
		"delete pods --all -A":                       "all namespaces",
		"delete pods --all --all-namespaces":         "all namespaces",
		"delete pods --all -n a -n b":                "given 2 times",
		"delete pods --all -n a --namespace b":       "given 2 times",
		"delete pods --all -n=":                      "needs a value",
		"delete pods --all --namespace=":             "is empty",
		"delete pods --all -n":                       "needs a value",
		"delete":                                     "say which object",
		"delete -l app=web":                          "say which object",
		"delete pod web --context=prod":              "act on the cluster that is shown",
		"delete pod web --context prod":              "act on the cluster that is shown",
		"delete pod web --kubeconfig x":              "act on the cluster that is shown",
		"delete pod web -s https://x":                "act on the cluster that is shown",
		"delete pod web -shttps://x":                 "act on the cluster that is shown",
		"delete pod web --server=x":                  "act on the cluster that is shown",
		"delete pod web --as root":                   "act on the cluster that is shown",
		"delete pod web --as-group=system:masters":   "act on the cluster that is shown",
		"delete pod web --token=x":                   "act on the cluster that is shown",
		"delete pod web --user=x":                    "act on the cluster that is shown",
		"delete pod web --cluster=x":                 "act on the cluster that is shown",
		"delete --raw /api/v1/namespaces/x":          "act on the cluster that is shown",
		"get --raw /":                                "act on the cluster that is shown",
		"get pods -As https://x":                     "act on the cluster that is shown",
		"get pods --context=x":                       "act on the cluster that is shown",
		"get pods --all_namespaces":                  "does not know flag",
		"get pods -- -n x":                           "takes no \"--\"",
		"delete pod web -- --context x":              "takes no \"--\"",
		"get pods --=x":                              "does not know flag",
		"get -f x.yaml":                              "can only be \"-\"",
		"scale node n --replicas=1":                  "does not change",
		"label ns tour a=b":                          "does not change",
		"label node/n a=b":                           "does not change",
		"annotate ns tour app.kubernetes.io/x=b":     "does not change",
		"patch clusterrole x -p {}":                  "does not change",
		"set image ds/x y=z --remote":                "does not know flag",
		"set serviceaccount deploy web x":            "terminal of your own",
		"set subject clusterrolebinding x":           "terminal of your own",
		"expose node x":                              "does not change",
		"run tmp --image=x -it":                      "no terminal",
		"run tmp --image=x --overrides={}":           "leaves the namespace",
		"exec -it web -- sh":                         "no terminal",
		"exec web hostname":                          "say which Pod",
		"exec node/x -- sh":                          "does not change",
		"create configmap x --from-file=/etc/passwd": "files of this machine",
		"delete Node node-1":                         "does not change",
		"delete all --all":                           "name the kinds",
		"delete all -l app=web":                      "name the kinds",
		"delete pods,All --all":                      "name the kinds",
		"label all --all a=b":                        "name the kinds",
		"annotate all/web a=b":                       "name the kinds",
		"set image all web=x:2 --all":                "name the kinds",
	} {
		got, err := inspect(strings.Fields(line))
		if err == nil {
			t.Errorf("%q was let through as %+v", line, got)
		} else if !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: refused with %q, want %q", line, err, reason)
		}
	}
}

// Whatever is let through carries no flag that leads elsewhere, however the
// arguments are mixed.
func TestInspectNeverLetsAFlagThrough(t *testing.T) {
	words := []string{
		"get", "delete", "apply", "exec", "run", "logs", "pods", "pod/web", "ns/x", "-n", "-ntour", "-n=tour", "--namespace", "--namespace=b",
		"-A", "-Aw", "-As", "-s", "-f", "-f-", "-f=-", "-", "--", "--context", "--context=x", "--as=x", "--raw=/", "-o", "-ojson", "-l", "a=b", "-it", "-wA",
	}
	rapid.Check(t, func(t *rapid.T) {
		args := rapid.SliceOfN(rapid.SampledFrom(words), 0, 7).Draw(t, "args")
		got, err := inspect(args)
		if err != nil {
			return
		}
		value := false // the argument is the value of the flag before it
		for i, arg := range args {
			switch {
			case value:
				value = false
				continue
			case arg == "--":
				if verb := args[0]; verb != "exec" && verb != "run" {
					t.Fatalf("%q let through with --", args)
				}
				return
			case strings.HasPrefix(arg, "--context"), strings.HasPrefix(arg, "--as"), strings.HasPrefix(arg, "--raw"), arg == "-s", arg == "-As":
				t.Fatalf("%q let through with %q", args, arg)
			case got.writes && (arg == "-A" || arg == "-Aw" || arg == "-wA" || arg == "ns/x" && i > 0 && args[0] == "delete"):
				t.Fatalf("%q let through with %q", args, arg)
			}
			logsFollow := args[0] == "logs" && arg == "-f"
			value = arg == "-n" || arg == "--namespace" || arg == "-l" || arg == "-o" || arg == "-f" && !logsFollow
		}
	})
}

func TestInspectManifest(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
	for name, c := range map[string]struct{ manifest, reason string }{
		"one object":          {service, ""},
		"own namespace":       {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: tour}\n", ""},
		"empty namespace":     {"apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: \"\"}\n", ""},
		"several":             {"---\n" + service + "---\n# nothing\n---\n" + service, ""},
		"JSON":                {`{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"x"}}`, ""},
		"empty":               {"", "holds no object"},
		"only comments":       {"# x\n---\n", "holds no object"},
		"namespace":           {"apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n", "does not write kind \"Namespace\""},
		"second is a node":    {service + "---\napiVersion: v1\nkind: Node\nmetadata: {name: x}\n", "does not write kind \"Node\""},
		"cluster role":        {"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: x}\n", "does not write kind"},
		"role binding":        {"apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: x}\n", "does not write kind"},
		"other group":         {"apiVersion: example.com/v1\nkind: Service\nmetadata: {name: x}\n", "does not write kind"},
		"other namespace":     {"apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: kube-system}\n", "is for namespace \"kube-system\""},
		"odd namespace":       {"apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: [a]}\n", "not text"},
		"no metadata":         {"apiVersion: v1\nkind: Pod\n", "no metadata"},
		"list":                {"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: x}}\n", "holds a list"},
		"disguised list":      {"apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nItems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: x}}\n", "holds a list"},
		"kind in other case":  {"apiVersion: v1\nKind: Pod\nmetadata: {name: x}\n", "does not write kind \"\""},
		"not an object":       {"- 1\n", "cannot be read"},
		"not YAML":            {"a: [\n", "cannot be read"},
		"JSON after JSON":     {`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"}}{"apiVersion":"v1","kind":"Node","metadata":{"name":"x"}}`, "does not write kind \"Node\""},
		"last duplicate wins": {`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x","namespace":"tour","namespace":"default"}}`, "\"default\""},
	} {
		t.Run(name, func(t *testing.T) {
			err := inspectManifest(c.manifest, "tour")
			if (err != nil) != (c.reason != "") || err != nil && !strings.Contains(err.Error(), c.reason) {
				t.Errorf("got %v, want a refusal with %q", err, c.reason)
			}
		})
	}
}
