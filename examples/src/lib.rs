//! Examples that each run with one command.
