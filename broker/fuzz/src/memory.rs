//! How much memory a decoder takes.

use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What a decoder may take at its peak for each byte of input. A packed number is one byte on the wire
/// and eight in a list that may have twice the room it needs, and two such lists while it grows.
const FOR_EACH_BYTE: usize = 32;

/// What it may take whatever the input is: errors, tables, small strings.
const AT_LEAST: usize = 16 * 1024;

/// Runs a decoder, which must not take more memory than its input justifies. The count is of the whole
/// process: whoever calls this runs one target at a time.
pub(crate) fn in_proportion<T>(input: usize, decode: impl FnOnce() -> T) -> T {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let decoded = decode();
    let taken = HEAP.peak_usage().saturating_sub(before);
    let allowed = AT_LEAST + FOR_EACH_BYTE * input;
    assert!(taken <= allowed, "{input} bytes of input took {taken} bytes of memory; at most {allowed}");
    decoded
}
