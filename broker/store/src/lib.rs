//! The ledger's storage engines.
