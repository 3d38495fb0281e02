package kubectl

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"svctour/cluster"
)

// TestMain lets this test binary be the embedded kubectl that a Runner starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "kubectl" {
		root := newTree(genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})
		root.SetArgs(os.Args[2:])
		if err := root.Execute(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const secret = "svctour-secret-of-this-machine"

// runner runs commands on a cluster that has the namespaces tour, which
// svctour made, and other.
func runner(t *testing.T) Runner {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		name, labels := filepath.Base(r.URL.Path), `{}`
		switch name {
		case "tour":
			labels = fmt.Sprintf(`{%q:%q}`, cluster.OwnerLabel, cluster.OwnerName)
		case "other", "kube-system":
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
			return
		}
		fmt.Fprintf(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":%q,"labels":%s}}`, name, labels)
	}))
	t.Cleanup(server.Close)
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: %q}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u, namespace: tour}}]
`, server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Connect(t.Context(), cluster.Options{Kubeconfig: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return Runner{Connection: c, Program: os.Args[0], Environment: os.Environ()}
}

func secretFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// attempts are ways to read, write, run, listen or leave through kubectl's
// arguments, each with what the refusal has to say. FILE is a file of this
// machine.
var attempts = []struct{ line, says string }{
	// Files are read by output forms.
	{"create deployment x --image=nginx --dry-run=client -o go-template-file=FILE", "reads a file"},
	{"create deployment x --image=nginx --dry-run=client -o templatefile=FILE", "reads a file"},
	{"create deployment x --image=nginx --dry-run=client -o=jsonpath-file=FILE", "reads a file"},
	{"create deployment x --image=nginx --dry-run=client -ogo-template-file=FILE", "reads a file"},
	{"create deployment x --image=nginx --dry-run=client -ojsonpath-file=FILE", "reads a file"},
	{"create deployment x --image=nginx --dry-run=client --output=go-template-file=FILE", "reads a file"},
	{"create deployment x --image=nginx --dry-run=client --output templatefile=FILE", "reads a file"},
	{"create deployment x --image=nginx --dry-run=client -o go-template-file --template=FILE", "reads a file"},
	{"create deployment x --image=nginx --dry-run=client --template FILE -o templatefile", "reads no file"},
	{"create deployment x --image=nginx --dry-run=client --template=FILE", "template itself"},
	{"create deployment x --image=nginx --dry-run=client -o go-template --template=FILE", "template itself"},
	{"create deployment x --image=nginx --dry-run=client -o yaml -o go-template-file=FILE", "reads a file"},
	{"create configmap x --from-literal=a=b --dry-run=client -o go-template-file=FILE", "reads a file"},
	{"get pods -o custom-columns-file=FILE", "reads a file"},
	{"get pods -ocustom-columns-file=FILE", "reads a file"},
	{"get pods -wo jsonpath-file=FILE", "reads a file"},
	{"get pods -Awojsonpath-file=FILE", "reads a file"},
	{"get pods -o custom-columns-file --template=FILE", "reads a file"},
	{"get pods --output jsonpath-file=FILE", "reads a file"},
	{"events -o templatefile=FILE", "reads a file"},
	{"auth whoami -o go-template-file=FILE", "reads a file"},
	{"wait pod/x --for=delete -o go-template-file=FILE", "reads a file"},
	{"rollout history deploy/web -o jsonpath-file=FILE", "reads a file"},
	{"scale deploy/web --replicas=1 -o go-template-file=FILE", "reads a file"},
	{"patch svc web -p {} -o templatefile=FILE", "reads a file"},
	{"get pods -o FILE", "does not know output form"},
	// And by other flags.
	{"get -f FILE", "can only be \"-\""},
	{"describe -f FILE", "can only be \"-\""},
	{"apply -f FILE", "can only be \"-\""},
	{"apply -fFILE", "can only be \"-\""},
	{"apply --filename=-,FILE", "can only be \"-\""},
	{"apply -f - --filename FILE", "given 2 times"},
	{"apply -f https://example.com/x.yaml", "can only be \"-\""},
	{"create -f http://169.254.169.254/latest/meta-data", "can only be \"-\""},
	{"apply -k FILE", "files of this machine"},
	{"get --kustomize=FILE", "files of this machine"},
	{"delete -kFILE", "files of this machine"},
	{"apply -Rf FILE", "files of this machine"},
	{"create configmap x --from-file=FILE", "files of this machine"},
	{"create configmap x --from-env-file FILE", "files of this machine"},
	{"create secret generic x --from-file=FILE", "files of this machine"},
	{"create secret tls x --cert=FILE --key=FILE", "files of this machine"},
	{"create secret docker-registry x --from-file=FILE", "files of this machine"},
	{"patch svc web --patch-file FILE", "files of this machine"},
	{"exec -f FILE -- cat", "files of this machine"},
	{"run x --image=y -f FILE", "files of this machine"},
	{"cp FILE web-1:/tmp/x", "files of this machine"},
	{"cp web-1:/etc/passwd FILE", "files of this machine"},
	{"config view --raw", "files of this machine"},
	{"config set-credentials u --client-certificate=FILE", "files of this machine"},
	{"kustomize FILE", "files of this machine"},
	{"kuberc view --kuberc=FILE", "files of this machine"},
	{"get pods --kuberc FILE", "files of this machine"},
	// Files are written.
	{"get pods --profile=cpu", "files of this machine"},
	{"get pods --profile-output=FILE", "files of this machine"},
	{"get pods --cache-dir=FILE", "files of this machine"},
	{"cluster-info dump --output-directory=FILE", "files of this machine"},
	{"get pods --log-file=FILE", "does not know flag"},
	{"get pods -v=9", "kubectl logs"},
	{"get pods --v 9", "kubectl logs"},
	{"get pods --vmodule=x=9", "kubectl logs"},
	// Programs are run.
	{"edit svc web", "no terminal"},
	{"create -f - --edit", "runs a program"},
	{"apply edit-last-applied deploy/web", "runs a program"},
	{"diff -f -", "runs a program"},
	{"plugin list", "runs a program"},
	{"exec -it web -- sh", "no terminal"},
	{"attach web", "no terminal"},
	{"delete -i pod web", "no terminal"},
	// Ports are opened.
	{"proxy --port=8001", "opens a port"},
	{"port-forward svc/web 8080:80", "no terminal"},
	{"port-forward svc/web 8080:80 --address 0.0.0.0", "opens a port"},
	// Other clusters, other people, past the objects.
	{"get pods --kubeconfig=FILE", "as you"},
	{"get pods --context other", "as you"},
	{"get pods --cluster=other", "as you"},
	{"get pods --user=root", "as you"},
	{"get pods -shttps://example.com", "as you"},
	{"get pods -ws https://example.com", "as you"},
	{"get pods --server=https://example.com", "as you"},
	{"get pods --proxy-url=http://example.com", "as you"},
	{"get pods --token=x", "as you"},
	{"get pods --username=x --password=y", "as you"},
	{"get pods --client-key=FILE", "files of this machine"},
	{"get pods --certificate-authority FILE", "files of this machine"},
	{"get pods --insecure-skip-tls-verify", "as you"},
	{"logs web --insecure-skip-tls-verify-backend", "as you"},
	{"get pods --as=system:admin", "as you"},
	{"get pods --as-group=system:masters", "as you"},
	{"get --raw /api/v1/secrets", "as you"},
	{"create --raw /api/v1/namespaces -f -", "as you"},
	{"delete --raw=/api/v1/nodes/node-1", "as you"},
	{"create token default", "another user"},
	// Other namespaces, and what lives in none.
	{"delete pod web -n other", "was not made by svctour"},
	{"delete pod web -nkube-system", "was not made by svctour"},
	{"delete pod web --namespace missing", "does not exist"},
	{"set env deploy/web --from=configmap/x -n other", "was not made by svctour"},
	{"delete pods --all -A", "all namespaces"},
	{"label pods --all a=b --all-namespaces", "all namespaces"},
	{"annotate pods --all a=b -A=true", "all namespaces"},
	{"delete pods --all -n tour -n other", "given 2 times"},
	{"delete ns other", "does not change"},
	{"delete node/node-1", "does not change"},
	{"patch clusterrole admin -p {}", "does not change"},
	{"label node node-1 a=b", "does not change"},
	{"create namespace x", "leaves the namespace"},
	{"create clusterrolebinding x --clusterrole=cluster-admin --user=me", "leaves the namespace"},
	{"drain node-1", "leaves the namespace"},
	{"taint nodes node-1 a=b:NoSchedule", "leaves the namespace"},
	{"certificate approve x", "leaves the namespace"},
	{"debug node/node-1 --image=x", "leaves the namespace"},
	{"exec node/node-1 -- sh", "does not change"},
	{"expose deploy web --port=80 --overrides={}", "leaves the namespace"},
	{"run x --image=y --overrides={}", "leaves the namespace"},
	{"run x --image=y --privileged", "leaves the namespace"},
	{"apply -f - --prune --all", "leaves the namespace"},
	{"apply -f - --prune-allowlist=core/v1/Namespace", "leaves the namespace"},
	{"auth reconcile -f -", "leaves the namespace"},
	// Spellings that kubectl might understand otherwise.
	{"get pods --out=go-template-file=FILE", "does not know flag"},
	{"get pods --all_namespaces", "does not know flag"},
	{"get pods -- -o go-template-file=FILE", "takes no \"--\""},
	{"create --save-config deployment x --image=y", "does not know flag"},
	{"--kubeconfig=FILE get pods", "the command first"},
	{"rollout -n other restart deploy/web", "terminal of your own"},
	{"__complete get", "terminal of your own"},
}

// Every attempt is refused before anything runs, with a sentence that says why.
func TestAttempts(t *testing.T) {
	kube, file := runner(t), secretFile(t)
	if len(attempts) < 60 {
		t.Errorf("only %d attempts", len(attempts))
	}
	for _, a := range attempts {
		reply := kube.Run(t.Context(), "", strings.Fields(strings.ReplaceAll(a.line, "FILE", file)), "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n")
		if reply.Exit != -1 || reply.Stdout != "" || !strings.Contains(reply.Stderr, a.says) || !strings.HasSuffix(reply.Stderr, ".") {
			t.Errorf("%s: want a refusal with %q, got %+v", a.line, a.says, reply)
		}
	}
}

// What is left of kubectl prints templates, and no file.
func TestNoFileIsPrinted(t *testing.T) {
	kube, file := runner(t), secretFile(t)
	const create = "create deployment x --image=nginx --dry-run=client "
	for flags, want := range map[string]string{
		"-o yaml": "kind: Deployment", "-ojson": `"kind": "Deployment"`, "-o name": "deployment.apps/x", "-o go-template={{.kind}}": "Deployment",
		"-o=jsonpath={.kind}": "Deployment", "--template={{.kind}}": "Deployment", "-o go-template --template={{.kind}}": "Deployment",
	} {
		if reply := kube.Run(t.Context(), "", strings.Fields(create+flags), ""); reply.Exit != 0 || !strings.Contains(reply.Stdout, want) {
			t.Errorf("%s: %+v", flags, reply)
		}
	}
	leak := create + "-o go-template-file=" + file
	if reply := kube.Run(t.Context(), "", strings.Fields(leak), ""); strings.Contains(reply.Stdout+reply.Stderr, secret) {
		t.Errorf("the file is printed: %+v", reply)
	}
	// The test bites: kubectl itself does print it.
	var out bytes.Buffer
	root := newTree(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out})
	root.SetArgs(append([]string{"--kubeconfig=" + kube.Connection.Kubeconfig()}, strings.Fields(leak)...))
	if err := root.Execute(); err != nil || !strings.Contains(out.String(), secret) {
		t.Errorf("kubectl alone: %v, %s", err, out.String())
	}
}
