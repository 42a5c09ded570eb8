//! What a file says of other files: modules that it declares, imports, and paths in its code.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What one file says.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Modules with files of their own.
    pub(super) modules: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    /// Macros that it gives to the whole package (`#[macro_export]`).
    pub(super) macros: BTreeSet<String>,
    /// Paths of two names or more outside of imports.
    pub(super) paths: Vec<Vec<String>>,
    /// Names outside of imports that are no part of what stands before them.
    pub(super) names: BTreeSet<String>,
}

/// One name that a `use` brings in.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    /// What the file calls it; `_` if it has no name, `*` for everything below the path.
    pub(super) name: String,
    /// Whether others may import it from this file.
    pub(super) is_public: bool,
}

impl Parsed {
    /// Reads a file without its tests.
    pub(super) fn of(text: &str) -> Self {
        let mut parsed = Self::default();
        let stream: TokenStream = text.parse().unwrap();
        parsed.read(stream);
        parsed
    }

    fn read(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut rest = tokens.as_slice();
        // The text of the last two tokens, which say what a name is part of.
        let mut before = [String::new(), String::new()];
        while let Some((token, after)) = rest.split_first() {
            rest = after;
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some((TokenTree::Group(attribute), after)) = rest.split_first() {
                        let attribute = attribute.stream().to_string();
                        // What is for tests, and a module whose file is elsewhere, of the tests.
                        let is_test = attribute == "cfg (test)" || attribute.starts_with("path =");
                        rest = if is_test { past_item(after) } else { after };
                    }
                }
                TokenTree::Ident(ident) if ident == "use" => {
                    let end = rest.iter().position(is(';')).unwrap_or(rest.len());
                    let (used, after) = rest.split_at(end);
                    let is_public = before.iter().any(|token| token == "pub");
                    self.tree(used, &[], is_public);
                    rest = after;
                }
                TokenTree::Ident(ident) if ident == "mod" => {
                    if let [TokenTree::Ident(name), semicolon, ..] = rest
                        && is(';')(semicolon)
                    {
                        self.modules.insert(name.to_string());
                    }
                }
                TokenTree::Ident(ident) if ident == "macro_rules" => {
                    // Those that are not exported are known in their own file and below it only.
                    if let [_, TokenTree::Ident(name), ..] = rest {
                        self.macros.insert(name.to_string());
                    }
                }
                TokenTree::Ident(ident) => {
                    let (path, after) = path(ident.to_string(), rest);
                    rest = after;
                    let [earlier, last] = before.each_ref().map(String::as_str);
                    let is_part = last == ":" && earlier == ":" || last == "." && earlier != ".";
                    if !is_part {
                        self.names.extend(path.first().cloned());
                        if path.len() > 1 {
                            self.paths.push(path);
                        }
                    }
                }
                TokenTree::Group(group) => self.read(group.stream()),
                _ => {}
            }
            let [_, last] = before;
            before = [last, token.to_string()];
        }
    }

    /// One tree of a `use`, below `prefix`.
    fn tree(&mut self, tokens: &[TokenTree], prefix: &[String], is_public: bool) {
        let mut path = prefix.to_vec();
        let mut name = None;
        let mut rest = tokens.iter();
        while let Some(token) = rest.next() {
            match token {
                TokenTree::Ident(ident) if ident == "as" => {
                    name = rest.next().map(TokenTree::to_string);
                }
                // `x::{self}` is `x`.
                TokenTree::Ident(ident) if ident == "self" && !path.is_empty() => {}
                TokenTree::Ident(ident) => path.push(ident.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == '*' => name = Some("*".to_owned()),
                TokenTree::Group(group) => {
                    let inner: Vec<_> = group.stream().into_iter().collect();
                    for tree in inner.split(is(',')).filter(|tree| !tree.is_empty()) {
                        self.tree(tree, &path, is_public);
                    }
                    return;
                }
                _ => {}
            }
        }
        let Some(last) = path.last() else {
            return;
        };
        self.imports.push(Import {
            name: name.unwrap_or_else(|| last.clone()),
            path,
            is_public,
        });
    }
}

/// The path that begins with `first`, and what follows it.
fn path(first: String, tokens: &[TokenTree]) -> (Vec<String>, &[TokenTree]) {
    let mut path = vec![first];
    let mut rest = tokens;
    while let [one, two, TokenTree::Ident(name), after @ ..] = rest
        && is(':')(one)
        && is(':')(two)
    {
        path.push(name.to_string());
        rest = after;
    }
    (path, rest)
}

/// What follows the item at the beginning: it ends with `;` or with a block.
fn past_item(tokens: &[TokenTree]) -> &[TokenTree] {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is(';')(other),
    };
    let end = tokens.iter().position(ends);
    let after = end.and_then(|end| tokens.get(end + 1..));
    after.unwrap_or_default()
}

/// Whether a token is this sign.
fn is(sign: char) -> impl Fn(&TokenTree) -> bool {
    move |token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}
