//! Proofs about the ledger's tree, RFC 9162.

use countersign_protocol::{
    digest::TreeHash,
    ledger::{ConsistencyProof, EMPTY_ROOT, InclusionProof, LeafIndex, Tree, TreeSize, leaf_hash, node_hash},
    payload::Payload,
};
use serde_json::{Value, json};

use super::{
    super::{cast, read::to_base64},
    Draft, Shelf,
};

pub(super) fn fill(shelf: &mut Shelf) {
    inclusion(shelf);
    inclusion_faults(shelf);
    consistency(shelf);
    consistency_faults(shelf);
}

fn entry(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

/// A tree of that many entries, of which one may be another.
fn tree(size: u64, changed: Option<u64>) -> Tree {
    let mut tree = Tree::default();
    for number in 0..size {
        let bytes = if changed == Some(number) { b"another entry".to_vec() } else { entry(number) };
        tree.push(leaf_hash(&bytes));
    }
    tree
}

fn size(size: u64) -> TreeSize {
    TreeSize::new(size).unwrap()
}

fn index(index: u64) -> LeafIndex {
    LeafIndex::new(index).unwrap()
}

fn other() -> TreeHash {
    TreeHash::from_bytes(cast::sha256(b"another root"))
}

fn included(index: u64, of: u64) -> (InclusionProof, Vec<u8>, TreeHash) {
    let (tree, index_of) = (tree(of, None), LeafIndex::new(index).unwrap());
    let path = tree.inclusion(index_of, size(of)).unwrap();
    (InclusionProof { index: index_of, size: size(of), path }, entry(index), tree.root())
}

fn give_inclusion(draft: Draft<'_>, proof: &InclusionProof, entry: &[u8], root: TreeHash) {
    let input = json!({
        "proof_b64": to_base64(&proof.to_bytes()),
        "entry_b64": to_base64(entry),
        "root": root.to_string(),
    });
    draft.given(json!({}), input);
}

fn inclusion(shelf: &mut Shelf) {
    for (index, of) in [(0, 1), (0, 2), (1, 2), (0, 7), (3, 7), (5, 7), (6, 7), (4, 8), (12, 13), (99, 100)] {
        let draft =
            shelf.accept("verify_inclusion", &format!("ledger-proof.entry-{index}-of-{of}")).rule("LOG-111");
        let (proof, entry, root) = included(index, of);
        let why = format!("Entry {index} in a ledger of {of}.");
        give_inclusion(draft.because(&why), &proof, &entry, root);
    }
}

fn no_inclusion<'a>(shelf: &'a mut Shelf, id: &str, fault: &str, why: &str) -> Draft<'a> {
    let draft = shelf.reject("verify_inclusion", &format!("ledger-proof.{id}"), "ledger-proof.entry-5-of-7");
    draft.rule("LOG-111").reason("BUNDLE_INVALID").fault(fault).because(why).flag("LogTampering")
}

/// The id, the fault, where, why, and the change.
type Fault<T> = (&'static str, &'static str, &'static str, &'static str, fn(&mut T));

fn inclusion_faults(shelf: &mut Shelf) {
    let (good, entry, root) = included(5, 7);
    let faults: [Fault<InclusionProof>; 10] = [
        ("index-at-the-size", "out_of_range", "/proof/index", "Entry 7 of 7.", |p| p.index = index(7)),
        ("index-beyond-the-size", "out_of_range", "/proof/index", "Entry 700 of 7.", |p| {
            p.index = index(700)
        }),
        ("index-beside", "root", "/proof/index", "The entry beside it.", |p| p.index = index(4)),
        ("size-with-a-shorter-path", "path_length", "/proof/size", "Size 6.", |p| p.size = size(6)),
        ("size-with-a-longer-path", "path_length", "/proof/size", "Size 9.", |p| p.size = size(9)),
        ("path-too-short", "path_length", "/proof/path/2", "The last hash is missing.", |p| {
            p.path.truncate(2)
        }),
        ("path-too-long", "path_length", "/proof/path/3", "A hash too many.", |p| p.path.push(EMPTY_ROOT)),
        ("path-empty", "path_length", "/proof/path/0", "No path.", |p| p.path.clear()),
        ("path-swapped", "root", "/proof/path", "Two hashes in the other order.", |p| p.path.swap(0, 1)),
        ("path-of-other-hashes", "root", "/proof/path/1", "Another hash.", |p| p.path[1] = EMPTY_ROOT),
    ];
    for (id, fault, path, why, change) in faults {
        let mut proof = good.clone();
        change(&mut proof);
        give_inclusion(no_inclusion(shelf, id, fault, why).at(path), &proof, &entry, root);
    }
    other_subjects(shelf);
    nodes_as_entries(shelf);
}

/// An entry or a root that the proof is not about.
fn other_subjects(shelf: &mut Shelf) {
    let (good, entry, root) = included(5, 7);
    let draft = no_inclusion(shelf, "another-entry", "root", "An entry that the ledger does not have there.");
    give_inclusion(draft.at("/entry"), &good, b"another entry", root);
    let draft = no_inclusion(shelf, "another-root", "root", "A root of another ledger.");
    give_inclusion(draft.at("/root"), &good, &entry, other());
}

/// The hash of a node is that of 65 bytes; a leaf has another prefix, so that no entry is a node.
fn nodes_as_entries(shelf: &mut Shelf) {
    let [first, second, third, fourth] = [0, 1, 2, 3].map(|number| leaf_hash(&entry(number)));
    let node = [first.as_bytes(), second.as_bytes()].concat();
    let whole = tree(4, None);
    let pair = node_hash(third, fourth);
    let proof = InclusionProof { index: LeafIndex::ZERO, size: size(2), path: vec![pair] };
    let mut two = Tree::default();
    two.push(leaf_hash(&node));
    two.push(pair);
    let twin = "ledger-proof.entry-of-two-hashes";
    let draft = shelf.accept("verify_inclusion", twin).rule("LOG-111");
    let why = "An entry that is two hashes, in a ledger that has it.";
    give_inclusion(draft.because(why), &proof, &node, two.root());
    let draft = shelf.reject("verify_inclusion", "ledger-proof.node-as-an-entry", twin).rule("LOG-111");
    let draft = draft.reason("BUNDLE_INVALID").fault("root").flag("LogTampering").at("/root");
    let why = "The root of four entries: two of them pass for one where leaves and nodes hash alike.";
    give_inclusion(draft.because(why), &proof, &node, whole.root());
}

fn consistent(old: u64, new: u64) -> (ConsistencyProof, TreeHash, TreeHash) {
    let tree = tree(new, None);
    let path = tree.consistency(size(old), size(new)).unwrap();
    let roots = (tree.root_at(size(old)).unwrap(), tree.root());
    (ConsistencyProof { old: size(old), new: size(new), path }, roots.0, roots.1)
}

fn give_consistency(draft: Draft<'_>, proof: &ConsistencyProof, old: TreeHash, new: TreeHash) {
    let input: Value = json!({
        "proof_b64": to_base64(&proof.to_bytes()),
        "old_root": old.to_string(),
        "new_root": new.to_string(),
    });
    draft.given(json!({}), input);
}

fn consistency(shelf: &mut Shelf) {
    for (old, new) in
        [(0, 0), (0, 5), (1, 1), (7, 7), (1, 2), (1, 8), (2, 3), (3, 7), (4, 8), (6, 8), (7, 8), (64, 100)]
    {
        let id = format!("ledger-proof.from-{old}-to-{new}");
        let draft = shelf.accept("verify_consistency", &id).rule("LOG-112");
        let (proof, old_root, new_root) = consistent(old, new);
        let why = format!("A ledger of {new} that begins with one of {old}.");
        give_consistency(draft.because(&why), &proof, old_root, new_root);
    }
}

fn inconsistent<'a>(shelf: &'a mut Shelf, id: &str, twin: &str, fault: &str, why: &str) -> Draft<'a> {
    let draft =
        shelf.reject("verify_consistency", &format!("ledger-proof.{id}"), &format!("ledger-proof.{twin}"));
    draft.rule("LOG-112").reason("LOG_INCONSISTENT").fault(fault).because(why).flag("LogTampering")
}

fn consistency_faults(shelf: &mut Shelf) {
    let (good, old, new) = consistent(3, 7);
    let faults: [Fault<ConsistencyProof>; 8] = [
        ("old-size-other", "path_length", "/proof/old", "It begins with four.", |p| p.old = size(4)),
        ("new-size-other", "path_length", "/proof/new", "It ends with nine.", |p| p.new = size(9)),
        ("shrunk", "shrunk", "/proof/new", "It got smaller.", |p| p.new = size(2)),
        ("old-path-too-short", "path_length", "/proof/path/3", "No last hash.", |p| p.path.truncate(3)),
        ("old-path-too-long", "path_length", "/proof/path/4", "One too many.", |p| p.path.push(EMPTY_ROOT)),
        ("old-path-empty", "path_length", "/proof/path/0", "No path.", |p| p.path.clear()),
        ("old-path-of-other-hashes", "root", "/proof/path/0", "Another hash.", |p| p.path[0] = EMPTY_ROOT),
        ("old-path-swapped", "root", "/proof/path", "Two in the other order.", |p| p.path.swap(0, 1)),
    ];
    for (id, fault, path, why, change) in faults {
        let mut proof = good.clone();
        change(&mut proof);
        give_consistency(inconsistent(shelf, id, "from-3-to-7", fault, why).at(path), &proof, old, new);
    }
    let why = "What was seen before is not its beginning.";
    let draft = inconsistent(shelf, "another-old-root", "from-3-to-7", "root", why);
    give_consistency(draft.at("/old_root"), &good, other(), new);
    let draft = inconsistent(shelf, "another-new-root", "from-3-to-7", "root", "It leads to another root.");
    give_consistency(draft.at("/new_root"), &good, old, other());
    whole_trees(shelf);
    nothing_to_prove(shelf);
}

/// An old tree that is one complete subtree, whose root is not in the path.
fn whole_trees(shelf: &mut Shelf) {
    let (good, old, new) = consistent(4, 8);
    let why = "The old root is the first node, which is not in the path.";
    let draft = inconsistent(shelf, "another-old-root-of-a-whole-tree", "from-4-to-8", "root", why);
    give_consistency(draft.at("/old_root"), &good, other(), new);
    let rewritten = tree(8, Some(1));
    let path = rewritten.consistency(size(4), size(8)).unwrap();
    let proof = ConsistencyProof { path, ..good };
    let draft = inconsistent(shelf, "rewritten-entry", "from-4-to-8", "root", "Entry 1 was rewritten since.");
    give_consistency(draft.at("/new_root"), &proof, old, rewritten.root());
}

/// Between equal sizes, and from the empty ledger on.
fn nothing_to_prove(shelf: &mut Shelf) {
    let nothing = "Nothing is to be proven.";
    let (same, root, _) = consistent(7, 7);
    let why = "Two views of one ledger.";
    let draft = inconsistent(shelf, "two-roots-of-one-size", "from-7-to-7", "root", why);
    give_consistency(draft.at("/new_root"), &same, root, other());
    let long = ConsistencyProof { path: vec![root], ..same };
    let draft = inconsistent(shelf, "path-between-equal-sizes", "from-7-to-7", "path_length", nothing);
    give_consistency(draft.at("/proof/path/0"), &long, root, root);
    let (empty, none, new) = consistent(0, 5);
    let why = "The empty ledger has one root.";
    let draft = inconsistent(shelf, "empty-with-another-root", "from-0-to-5", "root", why);
    give_consistency(draft.at("/old_root"), &empty, other(), new);
    let long = ConsistencyProof { path: vec![new], ..empty };
    let draft = inconsistent(shelf, "path-from-nothing", "from-0-to-5", "path_length", nothing);
    give_consistency(draft.at("/proof/path/0"), &long, none, new);
    let (empty, none, _) = consistent(0, 0);
    let draft = inconsistent(shelf, "nothing-with-another-root", "from-0-to-0", "root", why);
    give_consistency(draft.at("/new_root"), &empty, none, other());
}
