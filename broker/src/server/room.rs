//! A disk that was full, and has room again.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::limits::{ROOM_MIN_BYTES, ROOM_PAUSE};

/// Waits until files in that directory can grow again.
pub(super) async fn until_room(directory: PathBuf) {
    loop {
        tokio::time::sleep(ROOM_PAUSE).await;
        let directory = directory.clone();
        match tokio::task::spawn_blocking(move || try_room(&directory)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::debug!(%error, "there is no room yet"),
            Err(error) => tracing::warn!(%error, "it is not known whether there is room"),
        }
    }
}

/// Writes what a disk must have room for. No count of free blocks knows of quotas.
fn try_room(directory: &Path) -> io::Result<()> {
    let path = directory.join("room.new");
    let mut file = File::create(&path)?;
    // It is gone when it is closed, whatever happens.
    fs::remove_file(&path)?;
    let block = [0; 64 * 1024];
    for _ in 0..ROOM_MIN_BYTES / block.len() {
        file.write_all(&block)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_the_try() {
        let directory = tempfile::tempdir().unwrap();
        try_room(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(try_room(&directory.path().join("absent")).is_err());
    }
}
