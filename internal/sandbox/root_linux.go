package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"
)

// buildRoot makes a root in memory from the job's files and binds, enters it, and leaves the old one behind.
func buildRoot(j *job) error {
	unix.Umask(0)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	sources, err := openSources(j.Binds)
	if err != nil {
		return err
	}
	root, err := mountRoot()
	if err != nil {
		return err
	}
	if err := fillRoot(root, j, sources); err != nil {
		return err
	}
	// The old root is stacked on the new one and taken off again, so that no name for it is needed.
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	return sealRoot(j)
}

// openSources opens what is to be shown inside, before the new root can cover it.
func openSources(binds []bind) ([]int, error) {
	fds := make([]int, len(binds)+1)
	for i, b := range append(binds[:len(binds):len(binds)], bind{From: os.DevNull}) {
		fd, err := unix.Open(b.From, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.From, err)
		}
		fds[i] = fd
	}
	return fds, nil
}

// mountRoot mounts an empty file system on any folder of the old root.
func mountRoot() (string, error) {
	err := errors.New("no folder to mount on")
	for _, folder := range [...]string{os.TempDir(), "/run", "/mnt", "/dev", "/usr"} {
		if info, statErr := os.Lstat(folder); statErr != nil || !info.IsDir() {
			continue
		}
		if err = unix.Mount("retort", folder, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err == nil {
			return folder, nil
		}
	}
	return "", fmt.Errorf("mounting a file system in memory: %w", err)
}

func fillRoot(root string, j *job, sources []int) error {
	for i, b := range j.Binds {
		if err := bindTo(root+path.Clean("/"+b.To), sources[i], b.Folder); err != nil {
			return fmt.Errorf("%s: %w", b.From, err)
		}
	}
	if err := bindTo(root+os.DevNull, sources[len(j.Binds)], false); err != nil {
		return fmt.Errorf("%s: %w", os.DevNull, err)
	}
	for _, folder := range j.Covered {
		if err := unix.Mount("retort", root+folder, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0755,size=4k"); err != nil {
			return fmt.Errorf("covering %s: %w", folder, err)
		}
	}
	for _, folder := range [...]string{programFolder, scratchFolder} {
		if err := os.MkdirAll(root+folder, 0o755); err != nil {
			return err
		}
	}
	for name, text := range j.Files {
		if err := os.WriteFile(root+programFolder+"/"+name, []byte(text), 0o444); err != nil {
			return err
		}
	}
	if err := os.WriteFile(root+inputFile, j.Stdin, 0o444); err != nil {
		return err
	}
	return os.Symlink(inputFile, root+"/dev/stdin")
}

// bindTo shows an opened file or folder at a path, which it makes.
func bindTo(target string, source int, folder bool) error {
	if err := os.MkdirAll(path.Dir(target), 0o755); err != nil {
		return err
	}
	var err error
	if folder {
		err = os.MkdirAll(target, 0o755)
	} else {
		err = os.WriteFile(target, nil, 0o444)
	}
	if err != nil {
		return err
	}
	return unix.Mount("/proc/self/fd/"+strconv.Itoa(source), target, "", unix.MS_BIND|unix.MS_REC, "")
}

// sealRoot makes everything read-only, and then opens the one folder that may be written. /dev/null keeps being a device.
func sealRoot(j *job) error {
	seal := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &seal); err != nil {
		return fmt.Errorf("making mounts read-only (mount_setattr, Linux 5.12): %w", err)
	}
	var facts unix.Statfs_t
	if err := unix.Statfs("/", &facts); err != nil {
		return err
	}
	if facts.Flags&unix.ST_RDONLY == 0 {
		return errors.New("the root can still be written")
	}
	options := fmt.Sprintf("mode=0777,size=%d,nr_inodes=1024", j.Disk)
	if err := unix.Mount("retort", scratchFolder, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, options); err != nil {
		return fmt.Errorf("%s: %w", scratchFolder, err)
	}
	return unix.Chdir(scratchFolder)
}
