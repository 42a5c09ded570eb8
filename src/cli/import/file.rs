//! Files with their documents.

use crate::document::Node;

/// A file with its documents.
pub(super) struct File {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) documents: Vec<Node>,
}

/// The resources in all files, of these kinds.
pub(super) fn resources<'a>(
    files: &'a [File],
    kind: &'a str,
) -> impl Iterator<Item = (usize, &'a Node)> {
    let all = files.iter().enumerate().flat_map(|(index, file)| {
        let documents = file.documents.iter().flat_map(Node::resources);
        documents.map(move |document| (index, document))
    });
    all.filter(move |(_, resource)| resource.text_of("kind") == Some(kind))
}
