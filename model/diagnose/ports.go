package diagnose

import (
	"fmt"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
)

// numeric says whether a targetPort is a number.
func numeric(port string) bool {
	_, err := strconv.Atoi(port)
	return err == nil
}

// declaredPorts are the ports of a Pod's serving containers, as rules ask for
// them again and again: a Service may have thousands.
type declaredPorts struct {
	list  []model.ContainerPort
	known map[string]bool              // "8080", "8080/TCP", "http"
	named map[*model.ServicePort]int32 // where targetPorts lead that are names, see target
}

// ports are what a Pod declares.
func (s *Subject) ports(pod *model.Pod) *declaredPorts {
	if p := s.declares[pod]; p != nil {
		return p
	}
	p := &declaredPorts{known: map[string]bool{}, named: map[*model.ServicePort]int32{}}
	for port := range endpoints.ContainerPorts(pod) {
		p.list = append(p.list, *port)
		number := strconv.Itoa(int(port.Port))
		p.known[number], p.known[number+"/"+port.Protocol] = true, true
		if port.Name != "" {
			p.known[port.Name] = true
		}
	}
	if s.declares == nil {
		s.declares = map[*model.Pod]*declaredPorts{}
	}
	s.declares[pod] = p
	return p
}

// declared says whether a Pod declares a port, by number or by name.
func (s *Subject) declared(pod *model.Pod, port string) bool {
	return port != "" && s.ports(pod).known[port]
}

// target is the container port that a Service's port leads to in a Pod, 0 when
// the Pod has none of that name.
func (s *Subject) target(p *model.ServicePort, pod *model.Pod) int32 {
	if p.TargetPort == "" || numeric(p.TargetPort) {
		n, _ := endpoints.TargetPort(p, pod)
		return n
	}
	named := s.ports(pod).named
	n, known := named[p]
	if !known {
		n, _ = endpoints.TargetPort(p, pod)
		named[p] = n
	}
	return n
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }

// someText is how many ports or labels are written out.
const someText = 8

func podPortsText(pod *model.Pod) string {
	var out []string
	for p := range endpoints.ContainerPorts(pod) {
		if len(out) == someText {
			out = append(out, "…")
			break
		}
		text := fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if p.Name != "" {
			text = p.Name + " " + text
		}
		out = append(out, text)
	}
	if out == nil {
		return "none"
	}
	return strings.Join(out, ", ")
}

// lives says whether the rules about ports concern the Service.
func (s *Subject) lives() bool { return s.selects() && len(s.ready) > 0 }

// familyDiffers says whether the Service is of another IP family than the Pod.
func (s *Subject) familyDiffers(pod *model.Pod) bool {
	return len(endpoints.Addresses(s.Service, pod)) == 0
}

// rightPort is the port of a Pod that a Service's port most likely means: the
// nearest name, the same number, or the only one.
func (s *Subject) rightPort(pod *model.Pod, p *model.ServicePort) string {
	best, least := "", 3
	var all []model.ContainerPort
	for _, port := range s.ports(pod).list {
		if port.Protocol != p.Protocol {
			continue
		}
		all = append(all, port)
		if d := model.Distance(port.Name, p.TargetPort); port.Name != "" && !numeric(p.TargetPort) && d < least {
			best, least = port.Name, d
		}
	}
	if best == "" {
		for _, port := range all {
			if port.Port == p.Port || port.Name != "" && port.Name == p.Name {
				return orElse(port.Name, strconv.Itoa(int(port.Port)))
			}
		}
	}
	if best == "" && len(all) > 0 {
		best = orElse(all[0].Name, strconv.Itoa(int(all[0].Port)))
	}
	return best
}

func (s *Subject) setTargetPort(i int, port, explain string) Fix {
	var value any = port
	if n, err := strconv.Atoi(port); err == nil {
		value = n
	}
	return patched(explain, "Service", s.Service.Meta, "json",
		[]any{object{"op": "replace", "path": fmt.Sprintf("/spec/ports/%d/targetPort", i), "value": value}})
}
