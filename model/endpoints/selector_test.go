package endpoints_test

import (
	"testing"

	"svctour/model"
	"svctour/model/endpoints"
)

func TestMatches(t *testing.T) {
	labels := map[string]string{"app": "web", "tier": "front", "empty": ""}
	for _, c := range []struct {
		selector map[string]string
		want     bool
	}{
		{nil, true},
		{map[string]string{"app": "web"}, true},
		{map[string]string{"app": "web", "tier": "front"}, true},
		{map[string]string{"app": "web", "tier": "back"}, false},
		{map[string]string{"app": "Web"}, false},
		{map[string]string{"empty": ""}, true},
		{map[string]string{"missing": ""}, false},
	} {
		if got := endpoints.Matches(c.selector, labels); got != c.want {
			t.Errorf("Matches(%v): %v", c.selector, got)
		}
		if missing := endpoints.Missing(c.selector, labels); (len(missing) == 0) != c.want {
			t.Errorf("Missing(%v): %v", c.selector, missing)
		}
	}
}

func TestMatchesSelector(t *testing.T) {
	labels := map[string]string{"app": "web"}
	is := func(key, operator string, values ...string) *model.LabelSelector {
		return &model.LabelSelector{Expressions: []model.LabelRequirement{{Key: key, Operator: operator, Values: values}}}
	}
	for _, c := range []struct {
		what     string
		selector *model.LabelSelector
		want     bool
	}{
		{"nil", nil, false},
		{"empty", &model.LabelSelector{}, true},
		{"pair", &model.LabelSelector{Labels: map[string]string{"app": "web"}}, true},
		{"other pair", &model.LabelSelector{Labels: map[string]string{"app": "db"}}, false},
		{"In", is("app", "In", "db", "web"), true},
		{"In others", is("app", "In", "db"), false},
		{"In, without the key", is("tier", "In", ""), false},
		{"NotIn", is("app", "NotIn", "web"), false},
		{"NotIn others", is("app", "NotIn", "db"), true},
		{"NotIn, without the key", is("tier", "NotIn", "web"), true},
		{"Exists", is("app", "Exists"), true},
		{"Exists, without the key", is("tier", "Exists"), false},
		{"DoesNotExist", is("tier", "DoesNotExist"), true},
		{"DoesNotExist, with the key", is("app", "DoesNotExist"), false},
		{"pair and expression", &model.LabelSelector{
			Labels:      map[string]string{"app": "web"},
			Expressions: []model.LabelRequirement{{Key: "app", Operator: "NotIn", Values: []string{"web"}}},
		}, false},
		// Such a selector is not valid: it selects nothing.
		{"unknown operator", is("app", "Gt", "1"), false},
		{"NotIn nothing", is("app", "NotIn"), false},
		{"Exists with a value", is("app", "Exists", "web"), false},
		{"DoesNotExist with a value", is("tier", "DoesNotExist", "web"), false},
	} {
		if got := endpoints.MatchesSelector(c.selector, labels); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

func TestSelects(t *testing.T) {
	pod := &model.Pod{Meta: model.Meta{Namespace: "shop", Name: "web-1", Labels: map[string]string{"app": "web"}}}
	service := func(kind, namespace string, selector map[string]string) *model.Service {
		return &model.Service{Meta: model.Meta{Namespace: namespace, Name: "web"}, Type: kind, Selector: selector}
	}
	web := map[string]string{"app": "web"}
	for _, c := range []struct {
		what    string
		service *model.Service
		want    bool
	}{
		{"its labels", service(model.ClusterIP, "shop", web), true},
		{"another namespace", service(model.ClusterIP, "default", web), false},
		{"no selector", service(model.ClusterIP, "shop", nil), false},
		{"ExternalName", service(model.ExternalName, "shop", web), false},
	} {
		if got := endpoints.Selects(c.service, pod); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}
