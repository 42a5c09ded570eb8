//! The directives of nginx: a name, words, and a block or a `;`.
//!
//! Example: `server a:80 weight=2;` has the name `server` and the words `a:80` and `weight=2`.

/// A directive.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) words: Vec<String>,
    pub(super) block: Vec<Self>,
    /// The first byte of its name.
    pub(super) at: usize,
}

/// The directives of a text. What is broken ends it.
pub(super) fn parse(text: &str) -> Vec<Directive> {
    let mut open: Vec<Vec<Directive>> = vec![Vec::new()];
    let mut current: Option<Directive> = None;
    for (at, token) in tokens(text) {
        match token {
            Token::Word(word) => match &mut current {
                Some(directive) => directive.words.push(word),
                None => {
                    current = Some(Directive {
                        name: word,
                        at,
                        ..Directive::default()
                    });
                }
            },
            Token::End => {
                if let (Some(directive), Some(block)) = (current.take(), open.last_mut()) {
                    block.push(directive);
                }
            }
            // So deep nests no configuration.
            Token::Open if open.len() < 32 => {
                if let Some(block) = open.last_mut() {
                    block.push(current.take().unwrap_or_default());
                }
                open.push(Vec::new());
            }
            Token::Open => break,
            Token::Close => close(&mut open),
        }
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.pop().unwrap_or_default()
}

/// Puts the innermost block into its directive.
fn close(open: &mut Vec<Vec<Directive>>) {
    if open.len() < 2 {
        return;
    }
    let block = open.pop().unwrap_or_default();
    if let Some(directive) = open.last_mut().and_then(|block| block.last_mut()) {
        directive.block = block;
    }
}

#[derive(Debug)]
enum Token {
    Word(String),
    End,
    Open,
    Close,
}

fn tokens(text: &str) -> Vec<(usize, Token)> {
    let mut tokens = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            _ if c.is_whitespace() => {}
            '#' => while characters.next_if(|(_, c)| *c != '\n').is_some() {},
            ';' => tokens.push((at, Token::End)),
            '{' => tokens.push((at, Token::Open)),
            '}' => tokens.push((at, Token::Close)),
            '"' | '\'' => {
                let mut word = String::new();
                while let Some((_, next)) = characters.next_if(|(_, next)| *next != c) {
                    word.push(next);
                }
                characters.next();
                tokens.push((at, Token::Word(word)));
            }
            _ => {
                let mut word = c.to_string();
                let goes_on = |c: char| !c.is_whitespace() && !";{}".contains(c);
                while let Some((_, next)) = characters.next_if(|(_, next)| goes_on(*next)) {
                    word.push(next);
                }
                tokens.push((at, Token::Word(word)));
            }
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_have_words_and_blocks() {
        let found =
            parse("# why\nupstream 'a b' {\n server x:80 weight=2; # one\n least_conn;\n}\nend");
        let [upstream] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(
            (&*upstream.name, &*upstream.words[0], upstream.at),
            ("upstream", "a b", 6)
        );
        assert_eq!(upstream.block[0].words, ["x:80", "weight=2"]);
        assert_eq!(upstream.block[1].name, "least_conn");
        for broken in ["{", "}", "a {", "a { b", "'", ";", &"a{".repeat(99)] {
            parse(broken);
        }
    }
}
