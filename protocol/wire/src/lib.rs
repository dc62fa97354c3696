//! Protobuf messages and gRPC stubs of Countersign, generated from `spec/proto` by
//! `cargo xtask codegen` and checked in.
//!
//! The messages are all that most users need. The stubs, `v1::*_client` and `v1::*_server`, come with
//! the feature `service`; they take a channel or a listener that is already set up, and make none.

/// The package `countersign.v1`: what each message means is said at its declaration.
#[cfg_attr(
    feature = "service",
    expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "the generator of the stubs writes its exceptions in this form"
    )
)]
#[path = "gen/countersign.v1.rs"]
pub mod v1;

/// The encoded `google.protobuf.FileDescriptorSet` of every file in `spec/proto`, for gRPC reflection.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptor.bin");

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn the_descriptor_set_describes_the_services() {
        let set = prost_types::FileDescriptorSet::decode(DESCRIPTOR_SET).unwrap();
        let services: Vec<_> =
            set.file.iter().flat_map(|file| &file.service).map(|service| service.name()).collect();
        assert!(services.contains(&"Info"), "{services:?}");
    }
}
