package cases

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"testing"

	"svctour/model/diagnose"
)

// causes are the rules that have to be the doctor's first finding, and what
// else it has to be told. A control has none.
var causes = map[string]struct {
	rule   string
	target string   // what is asked for, if not the Service
	flags  []string // besides -n
}{
	"selector-typo":               {rule: "selector-near-miss"},
	"selector-case":               {rule: "selector-near-miss"},
	"label-on-deployment-only":    {rule: "selector-near-miss"},
	"pods-in-other-namespace":     {rule: "selector-other-namespace"},
	"upgrade-renamed-labels":      {rule: "selector-near-miss"},
	"selector-too-broad":          {rule: "selector-too-broad"},
	"selector-removed-stale":      {rule: "selector-removed-stale-slice"},
	"targetport-name-missing":     {rule: "targetport-name"},
	"app-binds-localhost":         {rule: "binds-localhost", flags: []string{"--probe"}},
	"client-uses-wrong-port":      {rule: "service-port-missing", target: ":30036"},
	"scaled-to-zero":              {rule: "scaled-to-zero"},
	"crashloop":                   {rule: "pod-crashes"},
	"readiness-wrong-port":        {rule: "probe-port"},
	"peers-need-not-ready":        {rule: "peers-not-published"},
	"dns-ndots-too-low":           {rule: "client-ndots"},
	"dns-egress-denied":           {rule: "client-egress-dns"},
	"sts-servicename-mismatch":    {rule: "statefulset-service"},
	"sts-service-not-headless":    {rule: "statefulset-not-headless"},
	"headless-port-remap":         {rule: "headless-port"},
	"externalname-ip":             {rule: "externalname-address"},
	"kind-no-port-mapping":        {rule: "nodeport-reach"},
	"lb-no-controller":            {rule: "load-balancer-pending"},
	"etp-local-no-endpoint":       {rule: "external-local"},
	"etp-local-pod-to-other-node": {rule: "external-local"},
	"topology-hints-dropped":      {rule: "topology-hints"},
	"env-collision":               {rule: "pod-service-variable"},
}

// mended are the cases whose first fix is a command that solves them alone, and
// what the client sees then.
var mended = map[string]string{
	"selector-typo": "ok", "selector-case": "ok", "label-on-deployment-only": "ok", "upgrade-renamed-labels": "ok",
	"selector-too-broad": "always the same", "targetport-name-missing": "ok", "scaled-to-zero": "ok", "readiness-wrong-port": "ok",
	"peers-need-not-ready": "ok", "dns-egress-denied": "ok", "headless-port-remap": "ok", "etp-local-no-endpoint": "ok",
	"env-collision": "http-error", // it serves a folder without a page, and says 404
}

// mend does what the doctor says.
func (p *place) mend(command string) {
	executable, err := os.Executable()
	if err != nil {
		p.Fatal(err)
	}
	shell := exec.Command("sh", "-c", `kubectl() { "$SVCTOUR" kubectl "$@"; }; `+command)
	shell.Env = append(os.Environ(), "SVCTOUR="+executable, "KUBECONFIG="+cluster.kubeconfig, "SVCTOUR_HOME="+cluster.dir)
	if out, err := shell.CombinedOutput(); err != nil {
		p.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// diagnose asks the doctor about the case's Service.
func (p *place) diagnose() (diagnose.ServiceReport, error) {
	cause := causes[p.ID]
	args := append([]string{"doctor", p.service() + cause.target, "--namespace=" + p.namespace(), "--output=json"}, cause.flags...)
	out, err := trySvctour("", args...)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return diagnose.ServiceReport{}, errors.New(out + ": " + err.Error())
	}
	var report diagnose.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		return diagnose.ServiceReport{}, errors.New(out + ": " + err.Error())
	}
	if len(report.Services) != 1 {
		return diagnose.ServiceReport{}, errors.New("not one Service: " + out)
	}
	return report.Services[0], nil
}

// consult holds the doctor against the case: its cause first, and nothing at
// all that is worse than a hint for a control.
func (p *place) consult() (command string) {
	want := causes[p.ID].rule
	if p.ID == "topology-hints-dropped" {
		// Three endpoints are shared out over the lab's three zones; two cannot be.
		kubectl(p.T, "", "scale", "deployment", "web", "--namespace="+p.namespace(), "--replicas=2")
	}
	eventually(p.T, func() error {
		report, err := p.diagnose()
		if err != nil {
			return err
		}
		first := ""
		if len(report.Findings) > 0 {
			first = report.Findings[0].Rule + ": " + report.Findings[0].Headline
		}
		switch {
		case want == "" && !report.Healthy:
			return errors.New("the doctor flags a healthy Service: " + first)
		case want != "" && (len(report.Findings) == 0 || report.Findings[0].Rule != want):
			return errors.New("the doctor's first finding is " + first + ", want " + want)
		}
		p.Log(first)
		if want != "" {
			command = report.Findings[0].Fix.Command
		}
		if _, has := mended[p.ID]; has && command == "" {
			text, _ := json.Marshal(report)
			p.Logf("no command mends it yet: %s", text)
			return errors.New("no command mends it: " + report.Findings[0].Fix.Explain)
		}
		return nil
	})
	return command
}

// TestRefused holds what the API server refuses against what the doctor says
// of the file: for certain, or as a note where it depends on the cluster.
func TestRefused(t *testing.T) {
	for _, c := range list(t) {
		if c.ClientSees != "rejected" && c.ID != "dual-stack-family" {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			out, err := trySvctour(c.Manifests, "doctor", "--filename=-", "--output=json")
			var exit *exec.ExitError
			severity := diagnose.Error
			switch depends := c.ID == "dual-stack-family"; {
			case depends && err == nil:
				severity = diagnose.Info
			case depends || !errors.As(err, &exit) || exit.ExitCode() != 1:
				t.Fatalf("%v: %s", err, out)
			}
			var report diagnose.Report
			if err := json.Unmarshal([]byte(out), &report); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			for _, s := range report.Services {
				if len(s.Findings) > 0 && s.Findings[0].Rule == "refused" && s.Findings[0].Severity == severity {
					t.Log(s.Findings[0].Headline)
					return
				}
			}
			t.Errorf("the doctor would have it: %s", out)
		})
	}
}
