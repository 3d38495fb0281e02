package tool

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

func ls(c *command) int {
	names := c.args
	if len(names) == 0 {
		names = []string{"."}
	}
	var plain []fs.FileInfo
	status := 0
	var folders []string
	for _, name := range names {
		info, err := c.Files.Stat(c.Path(name))
		switch {
		case err != nil:
			status = c.fail("%s: %s", name, process.Message(err))
		case info.IsDir() && !c.has('d'):
			folders = append(folders, name)
		default:
			plain = append(plain, named{info, name})
		}
	}
	c.list(plain)
	for i := 0; i < len(folders); i++ {
		entries, err := afero.ReadDir(c.Files, c.Path(folders[i]))
		if err != nil {
			status = c.fail("%s: %s", folders[i], process.Message(err))
			continue
		}
		if len(names) > 1 || c.has('R') {
			c.printf("%s%s:\n", map[bool]string{true: "\n"}[i > 0 || len(plain) > 0], folders[i])
		}
		if c.has('a') {
			if own, err := c.Files.Stat(c.Path(folders[i])); err == nil {
				entries = append([]fs.FileInfo{named{own, "."}, named{own, ".."}}, entries...)
			}
		} else if !c.has('A') {
			entries = slices.DeleteFunc(entries, func(e fs.FileInfo) bool { return strings.HasPrefix(e.Name(), ".") })
		}
		if c.has('R') {
			for _, entry := range entries {
				if entry.IsDir() && entry.Name() != "." && entry.Name() != ".." {
					folders = append(folders, path.Join(folders[i], entry.Name()))
				}
			}
		}
		if c.has('l') {
			c.printf("total 0\n")
		}
		c.list(entries)
	}
	return status
}

type named struct {
	fs.FileInfo
	name string
}

func (n named) Name() string { return n.name }

func (c *command) list(entries []fs.FileInfo) {
	for _, e := range entries {
		if !c.has('l') {
			c.printf("%s\n", e.Name())
			continue
		}
		mode := "-" + e.Mode().Perm().String()[1:]
		if e.IsDir() {
			mode = "d" + mode[1:]
		} else if e.Mode()&fs.ModeCharDevice != 0 {
			mode = "c" + mode[1:]
		}
		c.printf("%s %4d root     root     %9d %s %s\n", mode, 1, e.Size(), e.ModTime().UTC().Format("Jan _2 15:04"), e.Name())
	}
}

// each calls do for every argument and says what went wrong.
func (c *command) each(names []string, do func(name string) error) int {
	if len(names) == 0 {
		return c.fail("missing operand")
	}
	status := 0
	for _, name := range names {
		if err := do(name); err != nil {
			status = c.fail("%s", err)
		}
	}
	return status
}

func because(what, name string, err error) error {
	return errors.New(what + " '" + name + "': " + process.Message(err))
}

func mkdir(c *command) int {
	return c.each(c.args, func(name string) error {
		make := c.Files.Mkdir
		if c.has('p') {
			make = c.Files.MkdirAll
		}
		if err := make(c.Path(name), 0o755); err != nil {
			return because("can't create directory", name, err)
		}
		return nil
	})
}

func rm(c *command) int {
	if len(c.args) == 0 && c.has('f') {
		return 0
	}
	return c.each(c.args, func(name string) error {
		full := c.Path(name)
		info, err := c.Files.Stat(full)
		if err != nil {
			if c.has('f') {
				return nil
			}
			return because("can't remove", name, err)
		}
		remove := c.Files.Remove
		if info.IsDir() {
			if !c.has('r') && !c.has('R') {
				return errors.New("'" + name + "' is a directory")
			}
			remove = c.Files.RemoveAll
		}
		if err := remove(full); err != nil {
			return because("can't remove", name, err)
		}
		return nil
	})
}

func rmdir(c *command) int {
	return c.each(c.args, func(name string) error {
		info, err := c.Files.Stat(c.Path(name))
		if err == nil && !info.IsDir() {
			return errors.New("'" + name + "': Not a directory")
		}
		if err == nil {
			err = c.Files.Remove(c.Path(name))
		}
		if err != nil {
			return errors.New("'" + name + "': " + process.Message(err))
		}
		return nil
	})
}

func touch(c *command) int {
	return c.each(c.args, func(name string) error {
		full := c.Path(name)
		if _, err := c.Files.Stat(full); err == nil {
			return c.Files.Chtimes(full, time.Now(), time.Now())
		}
		if c.has('c') {
			return nil
		}
		file, err := c.Files.Create(full)
		if err != nil {
			return errors.New(name + ": " + process.Message(err))
		}
		return file.Close()
	})
}

// transfer is what cp and mv share: to is the last argument.
func (c *command) transfer(do func(from, to string) error) int {
	if len(c.args) < 2 {
		return c.usage("missing operand")
	}
	to := c.args[len(c.args)-1]
	info, err := c.Files.Stat(c.Path(to))
	into := err == nil && info.IsDir()
	if !into && len(c.args) > 2 {
		return c.fail("target '%s' is not a directory", to)
	}
	return c.each(c.args[:len(c.args)-1], func(from string) error {
		target := to
		if into {
			target = path.Join(to, path.Base(c.Path(from)))
		}
		return do(from, target)
	})
}

func cp(c *command) int {
	return c.transfer(func(from, to string) error { return c.copy(from, to) })
}

func (c *command) copy(from, to string) error {
	info, err := c.Files.Stat(c.Path(from))
	if err != nil {
		return because("can't stat", from, err)
	}
	if !info.IsDir() {
		text, err := afero.ReadFile(c.Files, c.Path(from))
		if err != nil {
			return because("can't open", from, err)
		}
		if err := afero.WriteFile(c.Files, c.Path(to), text, info.Mode().Perm()); err != nil {
			return because("can't create", to, err)
		}
		return nil
	}
	if !c.has('r') && !c.has('R') && !c.has('a') && c.name == "cp" {
		return errors.New("omitting directory '" + from + "'")
	}
	if source, target := c.Path(from), c.Path(to); target == source || strings.HasPrefix(target, source+"/") {
		return errors.New("recursion detected, omitting directory '" + from + "'")
	}
	if err := c.Files.MkdirAll(c.Path(to), 0o755); err != nil {
		return because("can't create directory", to, err)
	}
	below, err := afero.ReadDir(c.Files, c.Path(from))
	if err != nil {
		return because("can't open", from, err)
	}
	for _, entry := range below {
		if err := c.copy(path.Join(from, entry.Name()), path.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// mv copies and removes: a rename of an image's file is none of its layer's.
func mv(c *command) int {
	return c.transfer(func(from, to string) error {
		if c.Path(from) == c.Path(to) {
			return errors.New("'" + from + "' and '" + to + "' are the same file")
		}
		if err := c.copy(from, to); err != nil {
			return err
		}
		if err := c.Files.RemoveAll(c.Path(from)); err != nil {
			return because("can't remove", from, err)
		}
		return nil
	})
}

func find(c *command) int {
	roots, args := []string{}, c.args
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		roots, args = append(roots, args[0]), args[1:]
	}
	if len(roots) == 0 {
		roots = []string{"."}
	}
	name, kind := "*", ""
	for ; len(args) > 0; args = args[1:] {
		switch {
		case args[0] == "-print":
		case args[0] == "-name" && len(args) > 1:
			args = args[1:]
			name = args[0]
		case args[0] == "-type" && len(args) > 1 && (args[1] == "f" || args[1] == "d"):
			args = args[1:]
			kind = args[0]
		default:
			return c.fail("unrecognized: %s", args[0])
		}
	}
	status := 0
	for _, root := range roots {
		status = max(status, c.walk(root, func(file string, directory bool) {
			if match, _ := path.Match(name, path.Base(file)); match && (kind == "" || (kind == "d") == directory) {
				c.printf("%s\n", file)
			}
		}))
	}
	return status
}

// tarTool is what kubectl cp uses: tar cf - PATH... and tar xmf - -C DIR.
func tarTool(c *command) int {
	create, extract, list, file, folder := false, false, false, "-", "."
	var names []string
	for i, args := 0, c.args; len(args) > 0; i, args = i+1, args[1:] {
		arg := args[0]
		if (i > 0 && !strings.HasPrefix(arg, "-")) || arg == "-" {
			names = append(names, arg)
			continue
		}
		if arg == "--" {
			names = append(names, args[1:]...)
			break
		}
		for _, letter := range strings.TrimPrefix(arg, "-") {
			switch letter {
			case 'c':
				create = true
			case 'x':
				extract = true
			case 't':
				list = true
			case 'f', 'C':
				if len(args) < 2 {
					return c.fail("option requires an argument -- '%c'", letter)
				}
				args = args[1:]
				if letter == 'f' {
					file = args[0]
				} else {
					folder = args[0]
				}
			case 'm', 'v', 'p', 'o':
			default:
				return c.fail("invalid option -- '%c'", letter)
			}
		}
	}
	own := *c.Process
	own.Dir = c.Path(folder)
	if info, err := c.Files.Stat(own.Dir); err != nil || !info.IsDir() {
		return c.fail("can't change directory to '%s': No such file or directory", folder)
	}
	archive := file
	if file != "-" {
		archive = c.Path(file)
	}
	switch {
	case create && !extract && !list:
		return c.archive(&own, archive, names)
	case extract != list && !create:
		in, err := c.input(archive)
		if err != nil {
			return c.fail("can't open '%s': %s", file, process.Message(err))
		}
		defer func() { _ = in.Close() }()
		if err := c.extract(&own, in, names, list); err != nil {
			return c.fail("%s", process.Message(err))
		}
		return 0
	}
	return c.fail("must specify one of -c, -x, -t")
}

func (c *command) archive(own *process.Process, file string, names []string) int {
	out := io.Writer(c.out)
	if file != "-" {
		target, err := c.Files.Create(file)
		if err != nil {
			return c.fail("can't open '%s': %s", file, process.Message(err))
		}
		defer func() { _ = target.Close() }()
		out = target
	}
	writer := tar.NewWriter(out)
	inner := *c
	inner.Process = own
	var problem error
	status := 0
	for _, name := range names {
		status = max(status, inner.walk(name, func(name string, directory bool) {
			var text []byte
			info, err := c.Files.Stat(own.Path(name))
			if err == nil && !directory {
				text, err = afero.ReadFile(c.Files, own.Path(name))
			}
			if err == nil {
				header := &tar.Header{Name: strings.TrimLeft(name, "/"), Mode: int64(info.Mode().Perm()), Size: int64(len(text)), ModTime: info.ModTime(), Typeflag: tar.TypeReg, Uname: "root", Gname: "root"}
				if directory {
					header.Name, header.Typeflag, header.Size = header.Name+"/", tar.TypeDir, 0
				}
				if err = writer.WriteHeader(header); err == nil {
					_, err = writer.Write(text)
				}
			}
			problem = errors.Join(problem, err)
		}))
	}
	if problem = errors.Join(problem, writer.Close()); problem != nil {
		return c.fail("%s", process.Message(problem))
	}
	return status
}

func (c *command) extract(own *process.Process, in io.Reader, names []string, list bool) error {
	reader := tar.NewReader(in)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		// As busybox does, a name cannot leave the folder.
		name := strings.TrimPrefix(path.Clean("/"+header.Name), "/")
		if len(names) > 0 && !slices.Contains(names, strings.TrimSuffix(header.Name, "/")) {
			continue
		}
		if list {
			c.printf("%s\n", header.Name)
			continue
		}
		full := own.Path("./" + name)
		switch header.Typeflag {
		case tar.TypeDir:
			err = c.Files.MkdirAll(full, 0o755)
		case tar.TypeReg:
			if err = c.Files.MkdirAll(path.Dir(full), 0o755); err == nil {
				err = afero.WriteReader(c.Files, full, reader)
			}
		default:
			err = errors.New("only files and directories can be extracted: " + header.Name)
		}
		if err != nil {
			return err
		}
	}
}
