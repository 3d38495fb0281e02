package image

import (
	"maps"
	"regexp"
	"slices"

	"github.com/spf13/afero"

	"svctour/lab/child/process"
	"svctour/lab/child/program/nettool"
	"svctour/lab/child/program/server"
	"svctour/lab/child/program/shell"
	"svctour/lab/child/program/tool"
)

// The tags of an image: real ones and those of the near future. A typo is a
// tag that does not exist.
var (
	anyVersion = regexp.MustCompile(`^(latest|stable|v?\d+(\.\d+){0,3})$`)
	flavours   = regexp.MustCompile(`^(latest|stable|mainline|alpine|v?\d+(\.\d+){0,3}|edge)(-(alpine|perl|otel|slim|bookworm|trixie|musl|glibc|uclibc)(\d+(\.\d+)?)?)*$`)
)

// known are the images that every lab has. To add one, add a line.
var known = slices.Concat([]Image{
	nginx("docker.io/library/nginx"),
	nginx("registry.k8s.io/e2e-test-images/nginx"),
	nginx("registry.k8s.io/nginx-slim"),
	agnhost("registry.k8s.io/e2e-test-images/agnhost"),
	{
		Repository: "docker.io/library/python", Tags: flavours, Size: 46_000_000, Env: path, Cmd: []string{"python3"},
		Programs: tools(programs{"/usr/local/bin/python3": process.Default(server.Python), "/usr/local/bin/python": process.Default(server.Python)}), Files: files(nil),
	},
	{Repository: "registry.k8s.io/pause", Tags: anyVersion, Size: 300_000, Entrypoint: []string{"/pause"}, Programs: programs{"/pause": server.Pause}},
	{
		Repository: "docker.io/hashicorp/http-echo", Tags: anyVersion, Size: 3_000_000, Env: path,
		Entrypoint: []string{"/http-echo"}, Programs: programs{"/http-echo": process.Default(server.HTTPEcho)}, Files: files(nil),
	},
	{
		Repository: "docker.io/traefik/whoami", Tags: anyVersion, Size: 3_000_000, Env: path,
		Entrypoint: []string{"/whoami"}, Programs: programs{"/whoami": process.Default(server.Whoami)},
	},
	helloApp("1.0", "1.0.0"), helloApp("2.0", "2.0.0"),
}, shells(), clients())

func helloApp(tag, version string) Image {
	return Image{
		Repository: "gcr.io/google-samples/hello-app", Tags: regexp.MustCompile("^" + regexp.QuoteMeta(tag) + "$"), Size: 11_000_000, Env: path,
		Entrypoint: []string{"/hello-app"}, Programs: programs{"/hello-app": process.Default(server.HelloApp(version))}, Files: files(nil),
	}
}

type programs = map[string]process.Main

// tools are the small commands of an image with a shell, where busybox puts
// them.
func tools(more programs) programs {
	out := programs{"/bin/sh": shell.Main, "/bin/ash": shell.Main}
	for name, main := range tool.Commands {
		out["/bin/"+name] = main
	}
	maps.Copy(out, more)
	return out
}

var path = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

// nginx is the official image under one of its names.
func nginx(repository string) Image {
	return Image{
		Repository: repository, Tags: flavours, Size: 72_000_000,
		Entrypoint: []string{"/docker-entrypoint.sh"}, Cmd: []string{"nginx", "-g", "daemon off;"}, Stop: process.Quit,
		Env: slices.Concat(path, []string{"NGINX_VERSION=" + server.NginxVersion}),
		Programs: tools(programs{
			"/docker-entrypoint.sh": server.Entrypoint, "/usr/sbin/nginx": process.Default(server.Nginx), "/bin/bash": shell.Main,
			"/usr/bin/curl": nettool.Commands["curl"],
		}),
		Files: files(map[string]string{
			"/usr/share/nginx/html/index.html": server.NginxPage,
			"/usr/share/nginx/html/50x.html":   server.NginxErrorPage,
			"/etc/nginx/conf.d/default.conf":   server.NginxConfig,
			"/etc/os-release":                  "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n",
		}),
	}
}

// agnhost is Kubernetes' own test image, with the tools of the Alpine Linux that
// it is made of.
func agnhost(repository string) Image {
	more := busybox()
	for _, name := range []string{"curl", "dig", "nslookup", "host", "nc"} {
		if main := nettool.Commands[name]; main != nil {
			more["/usr/bin/"+name] = main
		}
	}
	more["/agnhost"] = process.Default(server.Agnhost)
	return Image{
		Repository: repository, Tags: anyVersion, Size: 53_000_000, Env: path,
		Entrypoint: []string{"/agnhost"}, Cmd: []string{"pause"}, Programs: tools(more), Files: files(alpine),
	}
}

// shells are images whose program is a shell.
func shells() []Image {
	return []Image{
		{
			Repository: "docker.io/library/busybox", Tags: flavours, Size: 2_200_000, Cmd: []string{"sh"}, Env: path,
			Programs: tools(busybox()), Files: files(nil),
		},
		{
			Repository: "registry.k8s.io/e2e-test-images/busybox", Tags: flavours, Size: 2_200_000, Cmd: []string{"sh"}, Env: path,
			Programs: tools(busybox()), Files: files(nil),
		},
		{
			Repository: "docker.io/library/alpine", Tags: flavours, Size: 3_800_000, Cmd: []string{"/bin/sh"}, Env: path,
			Programs: tools(busybox()), Files: files(alpine),
		},
	}
}

// clients are images to look at the network from.
func clients() []Image {
	curl := busybox()
	curl["/usr/bin/curl"], curl["/entrypoint.sh"] = nettool.Commands["curl"], nettool.CurlEntrypoint
	shoot := busybox()
	for name, main := range nettool.Commands {
		shoot["/usr/bin/"+name] = main
	}
	for name, main := range nettool.Node {
		shoot["/usr/sbin/"+name] = main
	}
	shoot["/bin/bash"], shoot["/bin/zsh"] = shell.Main, shell.Main
	return []Image{
		{
			Repository: "docker.io/curlimages/curl", Tags: flavours, Size: 9_600_000, Env: path,
			Entrypoint: []string{"/entrypoint.sh"}, Cmd: []string{"curl"}, Programs: tools(curl), Files: files(alpine),
		},
		{
			Repository: "docker.io/nicolaka/netshoot", Tags: flavours, Size: 200_000_000, Env: path,
			Cmd: []string{"zsh"}, Programs: tools(shoot), Files: files(alpine),
		},
	}
}

// alpine are the files that tell Alpine Linux: programs find musl by its loader.
var alpine = map[string]string{
	nettool.MuslLoader: "",
	"/etc/os-release":  "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME=\"Alpine Linux v3.22\"\n",
}

// busybox are busybox' network tools where it puts them.
func busybox() programs {
	out := programs{"/bin/httpd": process.Default(server.Httpd)}
	for name, main := range nettool.BusyBox {
		out["/bin/"+name] = main
	}
	return out
}

// files is a read-only file system with the folders that every image has.
func files(content map[string]string) afero.Fs {
	fs := afero.NewMemMapFs()
	for _, folder := range []string{"/bin", "/etc", "/home", "/proc", "/root", "/tmp", "/usr/bin", "/var/log"} {
		_ = fs.MkdirAll(folder, 0o755) // memory refuses nothing
	}
	base := map[string]string{"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "/etc/group": "root:x:0:\n", "/etc/nsswitch.conf": "hosts: files dns\n"}
	maps.Copy(base, content)
	for name, text := range base {
		_ = afero.WriteFile(fs, name, []byte(text), 0o644)
	}
	return afero.NewReadOnlyFs(fs)
}
