package lessons

import (
	"reflect"
	"testing"

	"svctour/model"
)

func TestEditOfACommand(t *testing.T) {
	web := model.Ref{Kind: "Deployment", Name: "web"}
	patch := func(object model.Ref, kind, data string) *model.Edit {
		return &model.Edit{Patch: &model.Patch{Object: object, Type: kind, Data: data}}
	}
	for _, c := range []struct {
		args []string
		want *model.Edit // nil: it cannot be told
	}{
		{[]string{"apply", "-f", "-"}, &model.Edit{Manifest: "kind: Service"}},
		{[]string{"scale", "deployment", "web", "--replicas=5"}, patch(web, "", `{"spec":{"replicas":5}}`)},
		{[]string{"scale", "deploy/web", "--replicas", "5"}, patch(web, "", `{"spec":{"replicas":5}}`)},
		{[]string{"scale", "deployment", "web"}, nil},
		{[]string{"delete", "pod", "web-1", "--wait=false"}, &model.Edit{Delete: &model.Ref{Kind: "Pod", Name: "web-1"}}},
		{[]string{"delete", "pod", "a", "b"}, nil},
		{[]string{"delete", "pods", "--all"}, nil},
		{[]string{"label", "pod", "tmp", "app=web", "run-"}, patch(model.Ref{Kind: "Pod", Name: "tmp"}, "", `{"metadata":{"labels":{"app":"web","run":null}}}`)},
		{[]string{"patch", "svc", "web", "--type=json", "-p", "[]"}, patch(model.Ref{Kind: "Service", Name: "web"}, "json", "[]")},
		{[]string{"run", "tmp", "--image=nginx:1.27", "--labels=a=b"}, &model.Edit{Manifest: `{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"a":"b"},"name":"tmp"},"spec":{"containers":[{"image":"nginx:1.27","name":"tmp"}]}}`}},
		{[]string{"get", "pods"}, nil},
		{nil, nil},
	} {
		got, ok := Invocation{Args: c.args, Stdin: "kind: Service"}.Edit()
		if ok != (c.want != nil) || ok && !reflect.DeepEqual(got, *c.want) {
			t.Errorf("%q: %+v %v, want %+v", c.args, got, ok, c.want)
		}
	}
}

// Every variable that the documentation names can be used: CEL reserves words.
func TestVariablesAreNoReservedWords(t *testing.T) {
	for _, name := range []string{varNow, varBefore, varNodes, varReplies, varLast, varNamespace, varMode, varAnswered, "services", "slices", "endpoints", "pods", "deployments", "replicasets", "statefulsets", "policies"} {
		if _, err := plain().compile("type("+name+") != bool", aBool); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
