package image

import (
	"slices"
	"strings"
	"testing"
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
		"registry.k8s.io/pause:3.10", "busybox:1.36", "busybox:1", "alpine:3.20", "curlimages/curl:8.5.0"} {
		ref, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Builtin().Find(ref); err != nil {
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
		if _, err := Builtin().Find(ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Find(%q): %v, want %q", name, err, want)
		}
	}
}

// The rules are those of ContainerSpec's command and args.
func TestArgv(t *testing.T) {
	line := func(words ...string) []string { return words }
	image := Image{Entrypoint: line("/entry", "-a"), Cmd: line("serve", "80")}
	for _, c := range []struct{ command, args, want []string }{
		{nil, nil, line("/entry", "-a", "serve", "80")},
		{nil, line("stop"), line("/entry", "-a", "stop")},
		{line("sh"), nil, line("sh")},
		{line("sh", "-c"), line("exit 3"), line("sh", "-c", "exit 3")},
	} {
		if got := image.Argv(c.command, c.args); !slices.Equal(got, c.want) {
			t.Errorf("command %q, args %q: %q, want %q", c.command, c.args, got, c.want)
		}
	}
	if len(image.Entrypoint) != 2 || len(image.Cmd) != 2 {
		t.Errorf("Argv changed the image: %+v", image)
	}
}

func TestAdd(t *testing.T) {
	registry, other := Builtin(), Builtin()
	ref, err := Parse("registry.k8s.io/kube-proxy:v1.37.2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Find(ref); err == nil {
		t.Fatal("found before it was added")
	}
	registry.Add(Image{Repository: ref.Repository, Tags: anyVersion, Size: 1})
	registry.Add(Image{Repository: ref.Repository, Tags: anyVersion, Size: 2})
	if got, err := registry.Find(ref); err != nil || got.Size != 1 {
		t.Errorf("%+v, %v, want the image that was added first", got, err)
	}
	if _, err := other.Find(ref); err == nil {
		t.Error("another registry has it too")
	}
	ref.Digest = "sha256:" + strings.Repeat("a", 64)
	if _, err := registry.Find(ref); err == nil {
		t.Error("found by an unknown digest")
	}
}

// An entrypoint or command that is not among the programs could never start.
func TestStartable(t *testing.T) {
	registry := Builtin()
	for i := range registry.images {
		image := &registry.images[i]
		argv := image.Argv(nil, nil)
		if len(argv) == 0 {
			continue
		}
		found := strings.HasPrefix(argv[0], "/") && image.Programs[argv[0]] != nil
		for name := range image.Programs {
			found = found || !strings.Contains(argv[0], "/") && strings.HasSuffix(name, "/"+argv[0])
		}
		if !found {
			t.Errorf("%s: %q is not among its programs", image.Repository, argv[0])
		}
	}
}
