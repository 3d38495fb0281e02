package image

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for name, want := range map[string]string{
		"nginx":                      "docker.io/library/nginx:latest",
		"nginx:1.27":                 "docker.io/library/nginx:1.27",
		"redis:7":                    "docker.io/library/redis:7",
		"library/nginx":              "docker.io/library/nginx:latest",
		"docker.io/nginx":            "docker.io/library/nginx:latest",
		"traefik/whoami:v1.11":       "docker.io/traefik/whoami:v1.11",
		"registry.k8s.io/pause:3.10": "registry.k8s.io/pause:3.10",
		"localhost:5000/web":         "localhost:5000/web:latest",
		"nginx@sha256:" + strings.Repeat("a", 64): "docker.io/library/nginx@sha256:" + strings.Repeat("a", 64),
	} {
		ref, err := Parse(name)
		if err != nil || ref.String() != want {
			t.Errorf("Parse(%q) = %q, %v, want %q", name, ref, err, want)
		}
	}
	for _, name := range []string{"", "Nginx", "nginx:", "a b", "nginx:la test", "/nginx", "docker.io/Nginx", "nginx:1:2", "nginx@sha256:ab"} {
		if ref, err := Parse(name); err == nil {
			t.Errorf("Parse(%q) = %q, want an error", name, ref)
		}
	}
}

func TestFind(t *testing.T) {
	for _, name := range []string{"nginx", "nginx:1.27-alpine", "nginx:alpine", "docker.io/library/nginx:1", "nginx:1.27.3-alpine3.20",
		"registry.k8s.io/e2e-test-images/agnhost:2.53", "hashicorp/http-echo:1.0", "traefik/whoami:v1.11.0", "busybox:1.36", "curlimages/curl:8.5.0", "redis:7", "busybox:1"} {
		ref, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Find(ref); err != nil {
			t.Errorf("Find(%q): %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"nginx:1.99-nope": `failed to pull and unpack image "docker.io/library/nginx:1.99-nope": failed to resolve reference "docker.io/library/nginx:1.99-nope": docker.io/library/nginx:1.99-nope: not found`,
		"nginxx":          "docker.io/library/nginxx:latest",
	} {
		ref, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Find(ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Find(%q): %v, want %q", name, err, want)
		}
	}
}

func TestContainer(t *testing.T) {
	line := func(words ...string) []string { return words }
	for _, c := range []struct {
		image         string
		command, args []string
		want          Program
	}{
		{"nginx", nil, nil, Program{Ports: []int32{80}, Paths: []string{"/", "/index.html"}}},
		{"nginx", line("nginx", "-g", "daemon off;"), nil, Program{Ports: []int32{80}, Paths: []string{"/", "/index.html"}}},
		{"nginx", line("sleep", "5"), nil, Program{Exits: true, Lasts: 5 * time.Second, IgnoresTerm: true}},
		{"nginx", nil, line("sleep", "1m"), Program{Exits: true, Lasts: time.Minute, IgnoresTerm: true}},
		{"busybox", nil, nil, Program{Exits: true}},
		{"busybox", line("false"), nil, Program{Exits: true, ExitCode: 1}},
		{"busybox", line("/bin/sh", "-c"), line("exit 3"), Program{Exits: true, ExitCode: 3}},
		{"busybox", line("sh", "-c", "echo hi; sleep 2; exit 1"), nil, Program{Exits: true, Lasts: 2 * time.Second, IgnoresTerm: true, ExitCode: 1}},
		{"busybox", line("sh", "-c", "while true; do date; sleep 1; done"), nil, Program{IgnoresTerm: true}},
		{"busybox", line("sleep", "infinity"), nil, Program{IgnoresTerm: true}},
		{"busybox", line("sleep", "soon"), nil, Program{Exits: true, ExitCode: 1}},
		{"busybox", line("python3"), nil, Program{Missing: "python3"}},
		{"registry.k8s.io/e2e-test-images/agnhost:2.53", nil, line("netexec", "--http-port=8888"), Program{Ports: []int32{8888}}},
		{"registry.k8s.io/e2e-test-images/agnhost:2.53", line("/agnhost", "serve-hostname"), nil, Program{Ports: []int32{9376}}},
		{"registry.k8s.io/e2e-test-images/agnhost:2.53", nil, nil, Program{}},
		{"hashicorp/http-echo:1.0", nil, line("-text=hi", "-listen=:8080"), Program{Ports: []int32{8080}}},
		{"traefik/whoami", nil, line("--port", "8000"), Program{Ports: []int32{8000}}},
		{"registry.k8s.io/pause:3.10", line("sh"), nil, Program{Missing: "sh"}},
	} {
		ref, err := Parse(c.image)
		if err != nil {
			t.Fatal(err)
		}
		image, err := Find(ref)
		if err != nil {
			t.Fatal(err)
		}
		got := image.Container(c.command, c.args)
		if !equal(got, c.want) {
			t.Errorf("%s %q %q: %+v, want %+v", c.image, c.command, c.args, got, c.want)
		}
	}
}

func equal(a, b Program) bool {
	if len(a.Ports) != len(b.Ports) || len(a.Paths) != len(b.Paths) {
		return false
	}
	for i := range a.Ports {
		if a.Ports[i] != b.Ports[i] {
			return false
		}
	}
	return a.Lasts == b.Lasts && a.Exits == b.Exits && a.ExitCode == b.ExitCode && a.IgnoresTerm == b.IgnoresTerm && a.Missing == b.Missing
}

func TestStatus(t *testing.T) {
	web := Program{Paths: []string{"/"}}
	for path, want := range map[string]int{"/": 200, "": 200, "/?a=b": 200, "/healthz": 404} {
		if got := web.Status(path); got != want {
			t.Errorf("GET %q: %d, want %d", path, got, want)
		}
	}
	if got := (Program{}).Status("/anything"); got != 200 {
		t.Errorf("a program without paths answers %d", got)
	}
}
