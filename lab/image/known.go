package image

import (
	"regexp"
	"strconv"
	"strings"
)

// The tags of an image: real ones and those of the near future. A typo is a
// tag that does not exist.
var (
	anyVersion = regexp.MustCompile(`^(latest|stable|v?\d+(\.\d+){0,3})$`)
	flavours   = regexp.MustCompile(`^(latest|stable|mainline|alpine|v?\d+(\.\d+){0,3}|edge)(-(alpine|perl|otel|slim|bookworm|trixie|musl|glibc|uclibc)(\d+(\.\d+)?)?)*$`)
)

// known are the images that the lab can run. To add one, add a line.
var known = []Image{
	{"docker.io/library/nginx", flavours, 72_000_000, "nginx", true, files(80)},
	{"docker.io/library/httpd", flavours, 58_000_000, "httpd-foreground", true, files(80)},
	{"docker.io/library/redis", flavours, 52_000_000, "redis-server", true, serves(6379)},
	{"docker.io/kennethreitz/httpbin", anyVersion, 180_000_000, "gunicorn", true, serves(80)},
	{"docker.io/traefik/whoami", anyVersion, 3_000_000, "whoami", false, servesFlag(80, "--port", "-port")},
	{"docker.io/hashicorp/http-echo", anyVersion, 4_000_000, "http-echo", false, servesFlag(5678, "-listen", "--listen")},
	{"gcr.io/google-samples/hello-app", anyVersion, 7_000_000, "hello-app", false, serves(8080)},
	{"registry.k8s.io/e2e-test-images/agnhost", anyVersion, 53_000_000, "agnhost", true, agnhost},
	{"registry.k8s.io/pause", anyVersion, 300_000, "pause", false, serves()},
	{"docker.io/library/busybox", flavours, 2_200_000, "sh", true, interactive},
	{"docker.io/library/alpine", flavours, 3_800_000, "sh", true, interactive},
	{"docker.io/nicolaka/netshoot", anyVersion, 200_000_000, "zsh", true, interactive},
	{"docker.io/curlimages/curl", anyVersion, 9_000_000, "curl", true, curl},
}

// Known are the repositories that the lab can run, spelt as people do.
func Known() []string {
	names := make([]string, len(known))
	for i, image := range known {
		names[i] = strings.TrimPrefix(strings.TrimPrefix(image.Repository, "docker.io/library/"), "docker.io/")
	}
	return names
}

// serves is a server on ports that ends cleanly when told to.
func serves(ports ...int32) func([]string) Program {
	return func([]string) Program { return Program{Ports: ports} }
}

// files is a web server with its welcome page and nothing else.
func files(port int32) func([]string) Program {
	return func([]string) Program {
		return Program{Ports: []int32{port}, Paths: []string{"/", "/index.html"}}
	}
}

// servesFlag is a server whose port can be set by one of flags.
func servesFlag(port int32, flags ...string) func([]string) Program {
	return func(args []string) Program { return Program{Ports: []int32{portFlag(args, port, flags...)}} }
}

// portFlag finds "FLAG=[HOST]:PORT" or "FLAG [HOST]:PORT" in args.
func portFlag(args []string, port int32, flags ...string) int32 {
	for i, arg := range args {
		for _, name := range flags {
			value, found := strings.CutPrefix(arg, name+"=")
			if !found && arg == name && i+1 < len(args) {
				value, found = args[i+1], true
			}
			if found {
				if n, err := strconv.ParseUint(value[strings.LastIndex(value, ":")+1:], 10, 16); err == nil && n > 0 {
					port = int32(n)
				}
			}
		}
	}
	return port
}

// agnhost is one program with many subcommands; without any it pauses.
func agnhost(args []string) Program {
	if len(args) == 0 {
		return Program{}
	}
	switch args[0] {
	case "netexec":
		return Program{Ports: []int32{portFlag(args, 8080, "--http-port")}}
	case "serve-hostname":
		return Program{Ports: []int32{portFlag(args, 9376, "--port")}}
	case "porter", "pause", "logs-generator", "entrypoint-tester":
		return Program{}
	case "connect", "dns-suffix", "dns-server-list", "etc-hosts":
		return Program{Exits: true}
	}
	return Program{Exits: true, ExitCode: 1}
}

// interactive is a shell: without a terminal it reads the end of its input and
// exits; with arguments it runs them.
func interactive(args []string) Program {
	return (&Image{Shell: true}).shell(args)
}

// curl asks for what its arguments say and exits; without any it complains.
func curl(args []string) Program {
	if len(args) == 0 {
		return Program{Exits: true, ExitCode: 2}
	}
	return Program{Exits: true}
}
