package image

import (
	"maps"
	"regexp"
	"slices"

	"github.com/spf13/afero"

	"svctour/lab/process"
	"svctour/lab/program/server"
	"svctour/lab/program/shell"
	"svctour/lab/program/tool"
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
	{Repository: "registry.k8s.io/pause", Tags: anyVersion, Size: 300_000, Entrypoint: []string{"/pause"}, Programs: programs{"/pause": server.Pause}},
}, shells())

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
		}),
		Files: files(map[string]string{
			"/usr/share/nginx/html/index.html": server.NginxPage,
			"/usr/share/nginx/html/50x.html":   server.NginxErrorPage,
			"/etc/nginx/conf.d/default.conf":   server.NginxConfig,
			"/etc/os-release":                  "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n",
		}),
	}
}

// shells are images whose program is a shell.
func shells() []Image {
	list := []Image{
		{Repository: "docker.io/library/busybox", Tags: flavours, Size: 2_200_000, Cmd: []string{"sh"}, Env: path},
		{Repository: "docker.io/library/alpine", Tags: flavours, Size: 3_800_000, Cmd: []string{"/bin/sh"}, Env: path},
	}
	for i := range list {
		list[i].Programs = tools(nil)
		list[i].Files = files(nil)
	}
	return list
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
