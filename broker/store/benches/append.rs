//! What the ledger's batches cost beside the same bytes, written and flushed.
//!
//! `cargo bench -p countersign-store --bench append`
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be set up must stop")]
#![expect(clippy::expect_used, reason = "a measurement that cannot be set up must stop")]
#![expect(clippy::indexing_slicing, reason = "a measurement that cannot be set up must stop")]

#[path = "../../../protocol/benches/core/measure.rs"]
mod measure;

use std::{fs::File, io::Write as _, path::Path};

use bytes::Bytes;
use countersign_protocol::name::TrustDomain;
use countersign_store::{EmbeddedStore, Store};
use measure::Table;
use tempfile::TempDir;

/// Entries of a batch, and bytes of an entry.
const BATCH: usize = 64;
const ENTRY: usize = 200;

fn main() {
    append("Appending on disk", &tempfile::tempdir().unwrap());
    if Path::new("/dev/shm").is_dir() {
        append("Appending on a file system in memory", &tempfile::tempdir_in("/dev/shm").unwrap());
    }
}

/// A batch with its tree, root and hashes, against the bytes of its entries and one `fdatasync`.
fn append(title: &'static str, directory: &TempDir) {
    let mut raw = File::create(directory.path().join("raw")).unwrap();
    let written = vec![7; BATCH * ENTRY];
    let floor = move || {
        raw.write_all(&written).unwrap();
        raw.sync_data().unwrap();
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = EmbeddedStore::open(&directory.path().join("store")).unwrap();
    let domain: TrustDomain = "bench.example".parse().unwrap();
    let mut head = runtime.block_on(store.head(&domain)).unwrap();
    let mut number = 0_u64;
    let mut entries = move || {
        let entry = |_| {
            number += 1;
            Bytes::from([&number.to_be_bytes()[..], &[7; ENTRY - 8]].concat())
        };
        (0..BATCH).map(entry).collect::<Vec<_>>()
    };
    Table::new(title, "12,800 bytes written and fdatasync", floor)
        .row("a batch of 64 entries of 200 bytes", || {
            head = runtime.block_on(store.append(&domain, head, entries())).unwrap();
        })
        .print();
}
