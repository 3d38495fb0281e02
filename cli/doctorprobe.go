package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"svctour/cluster"
	"svctour/model"
	"svctour/model/diagnose"
)

// probeTimeout is how long one Pod may take to answer, probedPods how many of a
// Service are asked.
const (
	probeTimeout = 5 * time.Second
	probedPods   = 3
)

// probePods connects to backends of the Services that look healthy, and puts
// what it finds into the report. It says which Pods before it does it, and
// makes no object.
func probePods(ctx context.Context, connection *cluster.Connection, snapshot *model.Snapshot, report *diagnose.Report) {
	for i := range report.Services {
		s := &report.Services[i]
		service := snapshot.Service(s.Namespace, s.Name)
		if !s.Healthy || service == nil {
			continue
		}
		s.NotChecked = s.NotChecked[:0]
		for _, backend := range diagnose.Backends(snapshot, service, probedPods) {
			asking, cancel := context.WithTimeout(ctx, probeTimeout)
			answer := connection.ProbePod(asking, backend.Pod.Namespace, backend.Pod.Name, backend.Number)
			cancel()
			if finding := diagnose.Probed(service, backend, answer); finding != nil {
				s.Findings = append([]diagnose.Finding{*finding}, s.Findings...)
				s.Healthy, s.Broken = false, finding.Lane
				break
			}
			if !answer.Settled() {
				s.NotChecked = append(s.NotChecked, diagnose.Unchecked{
					What: fmt.Sprintf("Pod %s at port %s: %s", backend.Pod.Name, strconv.Itoa(int(backend.Number)), answer.Trouble),
					How:  fmt.Sprintf("kubectl exec -n %s %s -- ss -ltn", backend.Pod.Namespace, backend.Pod.Name),
				})
			}
		}
	}
}
