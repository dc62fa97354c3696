//! A disk whose power can be cut: an ext4 file system in a file, behind a loop device. What the system
//! has not written to it is gone.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// Bytes of the disk.
const SIZE: u64 = 256 * 1024 * 1024;

/// A mounted disk. Making one needs root, loop devices and `mkfs.ext4`.
pub(crate) struct Disk {
    place: TempDir,
    root: PathBuf,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let (image, root) = (place.path().join("image"), place.path().join("root"));
        fs::create_dir(&root).unwrap();
        fs::File::create(&image).unwrap().set_len(SIZE).unwrap();
        run("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), &image]);
        let disk = Self { place, root };
        disk.mount();
        disk
    }

    /// Where it is mounted.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Leaves no room on it.
    pub(crate) fn fill(&self) {
        let mut filler = fs::File::create(self.root.join("filler")).unwrap();
        let block = vec![1; 64 * 1024];
        while filler.write_all(&block).is_ok() {}
    }

    /// Gives the room back.
    pub(crate) fn empty(&self) {
        fs::remove_file(self.root.join("filler")).unwrap();
    }

    /// Copies what is on it at this moment: what a power cut would leave.
    pub(crate) fn snapshot(&self) {
        let (image, copy) = (self.place.path().join("image"), self.place.path().join("copy"));
        run("cp", &["--sparse=always".as_ref(), &image, &copy]);
    }

    /// Goes back to the snapshot, as a machine does that gets its power back. Nothing may be open.
    pub(crate) fn restore(&self) {
        self.unmount();
        fs::rename(self.place.path().join("copy"), self.place.path().join("image")).unwrap();
        self.mount();
    }

    fn mount(&self) {
        let image = self.place.path().join("image");
        run("mount", &["-o".as_ref(), "loop".as_ref(), &image, &self.root]);
    }

    fn unmount(&self) {
        run("umount", &[&self.root]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may be that it was never mounted.
        let _ = Command::new("umount").arg(&self.root).status();
    }
}

fn run(program: &str, arguments: &[&Path]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}
