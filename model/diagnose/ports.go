package diagnose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"svctour/model"
)

// numeric says whether a targetPort is a number.
func numeric(port string) bool {
	_, err := strconv.Atoi(port)
	return err == nil
}

// targetNumber is the container port that a Service's port leads to in a Pod,
// 0 when the Pod has none of that name.
func targetNumber(p *model.ServicePort, pod *model.Pod) int32 {
	if p.TargetPort == "" {
		return p.Port
	}
	if n, err := strconv.ParseInt(p.TargetPort, 10, 32); err == nil {
		return int32(n)
	}
	return namedPort(pod, p.TargetPort, p.Protocol)
}

// declared says whether a Pod declares a port, by number or by name.
func declared(pod *model.Pod, port string) bool {
	return slices.ContainsFunc(containerPorts(pod), func(p model.ContainerPort) bool {
		return p.Name == port && port != "" || strconv.Itoa(int(p.Port)) == port
	})
}

func podPortsText(pod *model.Pod) string {
	var out []string
	for _, p := range containerPorts(pod) {
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
	if len(s.Service.IPFamilies) == 0 {
		return false
	}
	for _, ip := range pod.IPs {
		family := "IPv4"
		if strings.Contains(ip, ":") {
			family = "IPv6"
		}
		if slices.Contains(s.Service.IPFamilies, family) {
			return false
		}
	}
	return true
}

// rightPort is the port of a Pod that a Service's port most likely means: the
// nearest name, the same number, or the only one.
func (s *Subject) rightPort(pod *model.Pod, p *model.ServicePort) string {
	best, least := "", 3
	var all []model.ContainerPort
	for _, port := range containerPorts(pod) {
		if port.Protocol != p.Protocol {
			continue
		}
		all = append(all, port)
		if d := distance(port.Name, p.TargetPort); port.Name != "" && !numeric(p.TargetPort) && d < least {
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
