//! Protobuf messages and gRPC stubs of Countersign, generated from spec/proto.
