package dns

import (
	"strings"
	"testing"

	"svctour/model"
)

func TestAliases(t *testing.T) {
	s := changed(func(s *model.Snapshot) {
		for name, to := range map[string]string{"number": "192.0.2.7", "empty": "", "twice": "extin.default.svc.cluster.local.", "peer": "db-0.db.default.svc.cluster.local", "top": "svc.cluster.local"} {
			s.Services = append(s.Services, &model.Service{Meta: model.Meta{Namespace: "shop", Name: name}, Type: model.ExternalName, ExternalName: to})
		}
	})
	for name, want := range map[string]string{
		"web.default.svc.cluster.local.":    "",
		"nosuch.default.svc.cluster.local.": "",
		"www.example.com.":                  "",
		"cluster.local.":                    "",
		"x.ext.default.svc.cluster.local.":  "",
		"ext.default.svc.cluster.local":     "default/ext > www.example.com. outside",
		"EXTIN.default.svc.Cluster.Local.":  "default/extin > web.default.svc.cluster.local. default/web",
		"twice.shop.svc.cluster.local.":     "shop/twice > extin.default.svc.cluster.local. default/extin; default/extin > web.default.svc.cluster.local. default/web",
		"peer.shop.svc.cluster.local.":      "shop/peer > db-0.db.default.svc.cluster.local. default/db",
		"top.shop.svc.cluster.local.":       "shop/top > svc.cluster.local.",
		"gone.default.svc.cluster.local.":   "default/gone > nosuch.default.svc.cluster.local.",
		"self.default.svc.cluster.local.":   "default/self > self.default.svc.cluster.local. (it stands for itself, or for a name below its own)",
		"loop.default.svc.cluster.local.":   "default/loop > loop2.default.svc.cluster.local. default/loop2; default/loop2 > loop.default.svc.cluster.local. default/loop; default/loop > loop2.default.svc.cluster.local. (the aliases go round in a circle)",
		"number.shop.svc.cluster.local.":    "shop/number > 192.0.2.7. (its externalName is an address, and an alias stands for a name)",
		"empty.shop.svc.cluster.local.":     "shop/empty > . (its externalName is empty)",
	} {
		var got []string
		for _, a := range Aliases(s, name) {
			text := a.Service + " > " + a.Target
			if a.To != "" {
				text += " " + a.To
			}
			if a.Outside {
				text += " outside"
			}
			if a.Broken != "" {
				text += " (" + a.Broken + ")"
			}
			if a.Evidence != model.Derived || !strings.HasSuffix(a.Name, ".svc.cluster.local.") {
				t.Errorf("%s: %+v", name, a)
			}
			got = append(got, text)
		}
		if got := strings.Join(got, "; "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// How a look-up ends, and over which aliases it leads.
func TestResolutionEnd(t *testing.T) {
	s := changed(nil)
	for name, want := range map[string]string{
		"web":                                "NOERROR",
		"extin":                              "NOERROR default/extin",
		"ext":                                "NOERROR default/ext",
		"gone.default.svc.cluster.local.":    "NODATA default/gone",
		"nosuch.default.svc.cluster.local.":  "NXDOMAIN",
		"db-2.db.default.svc.cluster.local.": "NXDOMAIN",
		"nosuch":                             "",
		"gone":                               " default/gone",
		"localhost":                          "NOERROR",
		"10.96.0.50":                         "NOERROR",
	} {
		r, err := Resolve(s, Request{From: "pod/tmp", Name: name})
		if err != nil {
			t.Fatal(err)
		}
		got := string(r.End)
		for _, a := range r.Aliases {
			got += " " + a.Service
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestServiceNamed(t *testing.T) {
	s := changed(nil)
	for name, want := range map[string]string{
		"web.default.svc.cluster.local.":            "web ",
		"db-0.db.default.svc.cluster.local":         "db db-0",
		"_pg._tcp.db.default.svc.cluster.local.":    "",
		"web.shop.svc.cluster.local.":               "",
		"10-244-1-5.default.pod.cluster.local.":     "",
		"svc.cluster.local.":                        "",
		"web.default.svc.example.com.":              "",
		"web.default.svc.cluster.local.example.com": "",
	} {
		got := ""
		if svc, host := ServiceNamed(s, name); svc != nil {
			got = svc.Name + " " + host
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := NameOf(s, s.Service("default", "web")); got != "web.default.svc.cluster.local." {
		t.Errorf("the name of web is %q", got)
	}
}
