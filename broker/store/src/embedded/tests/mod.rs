//! What only this engine does: it outlives its process, and meets what disks do to files.

mod copy;
mod damage;
mod derived;
mod faults;
mod format;
mod queue;
mod restart;
mod writer;
