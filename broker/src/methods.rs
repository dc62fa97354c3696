//! What the `.proto` files describe, read from the descriptors that reflection serves.

use std::collections::BTreeSet;

use countersign_wire::DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::FileDescriptorSet;

/// Every method of the protocol: the full name of its service, and its own.
pub(crate) fn methods() -> BTreeSet<(String, String)> {
    // What our own generator wrote can be read.
    let described = FileDescriptorSet::decode(DESCRIPTOR_SET).unwrap_or_default();
    let mut methods = BTreeSet::new();
    for file in &described.file {
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            methods.extend(service.method.iter().map(|method| (name.clone(), method.name().to_owned())));
        }
    }
    methods
}

/// The full name of every service.
pub(crate) fn services() -> BTreeSet<String> {
    methods().into_iter().map(|(service, _)| service).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_is_described() {
        assert!(services().contains("countersign.v1.Mediation"));
        assert!(methods().contains(&("countersign.v1.Enrolment".into(), "Join".into())));
    }
}
