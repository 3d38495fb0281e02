package kubectl

import (
	"strings"
	"testing"
)

// What is mistyped is told from what is not for here.
func TestMistyped(t *testing.T) {
	for line, says := range map[string]string{
		"gte pods":                  `kubectl has no command "gte": did you mean "get"?`,
		"delte pod web":             `did you mean "delete"?`,
		"ls -l":                     `no command "ls" of kubectl. It runs kubectl here and no shell`,
		"rollout":                   `"kubectl rollout" needs one of history, pause, restart, resume, status, undo right behind it`,
		"rollout restrat deploy/x":  `there is no "kubectl rollout restrat": did you mean "kubectl rollout restart"?`,
		"get pods --al-namespaces":  `did you mean "--all-namespaces"?`,
		"get pods --xyzzy":          `does not know flag "--xyzzy" of "kubectl get": use a terminal of your own`,
		"delete pdo web":            `does not change "pdo": did you mean "pod"?`,
		"delete servcie/web":        `did you mean "service"?`,
		"delete node node-1":        `does not change "node": it writes only objects`,
		"delete podtemplates x":     `does not change "podtemplates": it writes only objects`,
		"delete clusterroles admin": `does not change "clusterroles": it writes only objects`,
		"cordon node-1":             "it leaves the namespace",
	} {
		if _, err := inspect(strings.Fields(line)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: want %q, got %v", line, says, err)
		}
	}
}
