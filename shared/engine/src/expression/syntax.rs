//! What an expression says: from its text to a tree, every node with its place in the text.

use std::collections::BTreeSet;

use domain::Problem;
use domain::limit::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX};

/// A node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Syntax {
    Number(f64),
    Text(String),
    Boolean(bool),
    Missing,
    Column(String),
    Negate(Box<Spanned>),
    Not(Box<Spanned>),
    Binary(Operator, Box<Spanned>, Box<Spanned>),
    Call(String, Vec<Spanned>),
}

/// A node, where it begins (bytes into the text), and how deep the tree below it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spanned {
    pub(super) at: usize,
    pub(super) depth: usize,
    pub(super) node: Syntax,
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
}

impl Operator {
    /// How the operator is written.
    pub(super) fn written(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterEqual => ">=",
            Operator::And => "and",
            Operator::Or => "or",
        }
    }
}

/// A fault at a place of the text. Line and position of the problem stay free for whoever knows
/// where in which file the expression stands.
pub(super) fn fault(text: &str, at: usize, rule: &str, found: impl std::fmt::Display) -> Problem {
    let character = text.get(..at).map_or(0, |before| before.chars().count()) + 1;
    let shown: String = if text.chars().count() > 120 {
        text.chars().take(119).chain(['…']).collect()
    } else {
        text.to_owned()
    };
    Problem::new("expression", rule).found(format!("{found} at character {character} of `{shown}`"))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    /// A bare name: a column, a function, a keyword.
    Name(String),
    /// A name in backticks: always a column.
    Quoted(String),
    Symbol(&'static str),
    End,
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Token::Number(number) => format!("the number {number}"),
            Token::Text(text) => format!("the text {text:?}"),
            Token::Name(name) | Token::Quoted(name) => format!("`{name}`"),
            Token::Symbol(symbol) => format!("`{symbol}`"),
            Token::End => "the end".to_owned(),
        }
    }
}

const SYMBOLS: [&str; 15] = ["==", "!=", "<=", ">=", "<>", "<", ">", "+", "-", "*", "/", "%", "(", ")", ","];

/// Cuts the text into tokens with their places.
fn tokens(text: &str) -> Result<Vec<(Token, usize)>, Problem> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, length) = if first.is_ascii_digit() {
            number(text, at)?
        } else if first.is_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Token::Name(rest[..length].to_owned()), length)
        } else if first == '"' || first == '\'' {
            string(text, at, first)?
        } else if first == '`' {
            let Some(end) = rest[1..].find('`') else {
                return Err(fault(text, at, "a name without its end", "a single backtick")
                    .expected("a column name between two backticks"));
            };
            (Token::Quoted(rest[1..=end].to_owned()), end + 2)
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            (Token::Symbol(symbol), symbol.len())
        } else {
            let hint = if first == '=' {
                "equality is written =="
            } else {
                "names with such characters go in backticks"
            };
            return Err(fault(text, at, "unknown character", format!("{first:?}")).hint(hint));
        };
        tokens.push((token, at));
        at += length;
    }
    tokens.push((Token::End, text.len()));
    Ok(tokens)
}

/// A number: digits, then a fraction and an exponent if they are there.
fn number(text: &str, at: usize) -> Result<(Token, usize), Problem> {
    let bytes = &text.as_bytes()[at..];
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut length = digits(0);
    if bytes.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    let written = &text[at..at + length];
    match written.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((Token::Number(value), length)),
        _ => Err(fault(text, at, "not a number", format!("`{written}`"))
            .expected("a finite number such as 0.5 or 1e6")),
    }
}

/// A text in quotes; a backslash takes the next character as it is.
fn string(text: &str, at: usize, quote: char) -> Result<(Token, usize), Problem> {
    let mut value = String::new();
    let mut characters = text[at + 1..].char_indices();
    while let Some((offset, character)) = characters.next() {
        if character == quote {
            return Ok((Token::Text(value), offset + 2));
        }
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    Err(fault(text, at, "a text without its end", format!("a single {quote}"))
        .expected(format!("a closing {quote}"))
        .hint("a quote inside a text is written with a backslash before it"))
}

/// Reads a whole expression.
pub(super) fn parse(text: &str) -> Result<Spanned, Problem> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(Problem::new("expression", "expression too long")
            .found(format!("{} bytes", text.len()))
            .expected(format!("at most {EXPRESSION_BYTES_MAX} bytes"))
            .hint("split it over several features"));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, nesting: 0 };
    if parser.peek() == &Token::End {
        return Err(
            fault(text, 0, "empty expression", "nothing").expected("a column, a number or a function")
        );
    }
    let tree = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(tree),
        other => Err(fault(text, parser.at(), "unexpected", other.shown())
            .expected("an operator or the end of the expression")),
    }
}

/// Collects the names of the columns a tree reads.
pub(super) fn columns(tree: &Spanned, into: &mut BTreeSet<String>) {
    match &tree.node {
        Syntax::Column(name) => {
            into.insert(name.clone());
        }
        Syntax::Negate(inner) | Syntax::Not(inner) => columns(inner, into),
        Syntax::Binary(_, left, right) => {
            columns(left, into);
            columns(right, into);
        }
        Syntax::Call(_, arguments) => arguments.iter().for_each(|argument| columns(argument, into)),
        Syntax::Number(_) | Syntax::Text(_) | Syntax::Boolean(_) | Syntax::Missing => {}
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, usize)>,
    next: usize,
    nesting: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.next].0
    }

    fn at(&self) -> usize {
        self.tokens[self.next].1
    }

    /// Takes the next token; the end stays where it is.
    fn take(&mut self) -> Token {
        let token = self.tokens[self.next].0.clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn takes(&mut self, symbol: &str) -> bool {
        let there = matches!(self.peek(), Token::Symbol(found) if *found == symbol);
        if there {
            self.take();
        }
        there
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let there = matches!(self.peek(), Token::Name(found) if found == word);
        if there {
            self.take();
        }
        there
    }

    fn too_deep(&self, at: usize) -> Problem {
        fault(self.text, at, "expression too deep", "more nesting")
            .expected(format!("at most {EXPRESSION_DEPTH_MAX} operations within each other"))
            .hint("split it over several features")
    }

    /// Builds a node over its children, within the bound on depth.
    fn node(&self, at: usize, children_depth: usize, node: Syntax) -> Result<Spanned, Problem> {
        if children_depth >= EXPRESSION_DEPTH_MAX {
            return Err(self.too_deep(at));
        }
        Ok(Spanned { at, depth: children_depth + 1, node })
    }

    fn binary(
        &self,
        operator: Operator,
        at: usize,
        left: Spanned,
        right: Spanned,
    ) -> Result<Spanned, Problem> {
        let depth = left.depth.max(right.depth);
        self.node(at, depth, Syntax::Binary(operator, Box::new(left), Box::new(right)))
    }

    /// `or`, the loosest.
    fn expression(&mut self) -> Result<Spanned, Problem> {
        self.nesting += 1;
        if self.nesting > EXPRESSION_DEPTH_MAX {
            return Err(self.too_deep(self.at()));
        }
        let mut left = self.conjunction()?;
        loop {
            let at = self.at();
            if !self.takes_word("or") {
                break;
            }
            let right = self.conjunction()?;
            left = self.binary(Operator::Or, at, left, right)?;
        }
        self.nesting -= 1;
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Spanned, Problem> {
        let mut left = self.negation()?;
        loop {
            let at = self.at();
            if !self.takes_word("and") {
                return Ok(left);
            }
            let right = self.negation()?;
            left = self.binary(Operator::And, at, left, right)?;
        }
    }

    /// Any number of `not`, then a comparison.
    fn negation(&mut self) -> Result<Spanned, Problem> {
        let mut places = Vec::new();
        loop {
            let at = self.at();
            if !self.takes_word("not") {
                break;
            }
            places.push(at);
        }
        let mut tree = self.comparison()?;
        for at in places.into_iter().rev() {
            tree = self.node(at, tree.depth, Syntax::Not(Box::new(tree)))?;
        }
        Ok(tree)
    }

    /// At most one comparison: `a < b < c` means something else in every language.
    fn comparison(&mut self) -> Result<Spanned, Problem> {
        let left = self.sum()?;
        let at = self.at();
        let Some(operator) = self.comparing() else { return Ok(left) };
        self.take();
        let right = self.sum()?;
        if self.comparing().is_some() {
            return Err(fault(self.text, self.at(), "comparisons in a row", self.peek().shown())
                .expected("one comparison")
                .hint("join two comparisons with `and`"));
        }
        self.binary(operator, at, left, right)
    }

    fn comparing(&self) -> Option<Operator> {
        match self.peek() {
            Token::Symbol("==") => Some(Operator::Equal),
            Token::Symbol("!=" | "<>") => Some(Operator::NotEqual),
            Token::Symbol("<") => Some(Operator::Less),
            Token::Symbol("<=") => Some(Operator::LessEqual),
            Token::Symbol(">") => Some(Operator::Greater),
            Token::Symbol(">=") => Some(Operator::GreaterEqual),
            _ => None,
        }
    }

    fn sum(&mut self) -> Result<Spanned, Problem> {
        let mut left = self.product()?;
        loop {
            let at = self.at();
            let operator = match self.peek() {
                Token::Symbol("+") => Operator::Add,
                Token::Symbol("-") => Operator::Subtract,
                _ => return Ok(left),
            };
            self.take();
            let right = self.product()?;
            left = self.binary(operator, at, left, right)?;
        }
    }

    fn product(&mut self) -> Result<Spanned, Problem> {
        let mut left = self.signed()?;
        loop {
            let at = self.at();
            let operator = match self.peek() {
                Token::Symbol("*") => Operator::Multiply,
                Token::Symbol("/") => Operator::Divide,
                Token::Symbol("%") => Operator::Remainder,
                _ => return Ok(left),
            };
            self.take();
            let right = self.signed()?;
            left = self.binary(operator, at, left, right)?;
        }
    }

    /// Any number of minus signs, then an operand.
    fn signed(&mut self) -> Result<Spanned, Problem> {
        let mut places = Vec::new();
        loop {
            let at = self.at();
            if !self.takes("-") {
                break;
            }
            places.push(at);
        }
        let mut tree = self.operand()?;
        for at in places.into_iter().rev() {
            tree = match tree.node {
                Syntax::Number(number) => Spanned { at, node: Syntax::Number(-number), ..tree },
                _ => self.node(at, tree.depth, Syntax::Negate(Box::new(tree)))?,
            };
        }
        Ok(tree)
    }

    fn operand(&mut self) -> Result<Spanned, Problem> {
        let at = self.at();
        let node = match self.take() {
            Token::Number(number) => Syntax::Number(number),
            Token::Text(text) => Syntax::Text(text),
            Token::Quoted(name) => Syntax::Column(name),
            Token::Name(name) if self.takes("(") => return self.call(at, name),
            Token::Name(name) => match name.as_str() {
                "true" => Syntax::Boolean(true),
                "false" => Syntax::Boolean(false),
                "missing" => Syntax::Missing,
                "and" | "or" | "not" => return Err(self.no_operand(at, &Token::Name(name))),
                _ => Syntax::Column(name),
            },
            Token::Symbol("(") => {
                let inner = self.expression()?;
                self.closing(at)?;
                return Ok(inner);
            }
            other => return Err(self.no_operand(at, &other)),
        };
        self.node(at, 0, node)
    }

    fn no_operand(&self, at: usize, found: &Token) -> Problem {
        fault(self.text, at, "unexpected", found.shown())
            .expected("a column, a number, a text, a function or `(`")
            .hint("a column called like a keyword goes in backticks")
    }

    fn call(&mut self, at: usize, name: String) -> Result<Spanned, Problem> {
        let mut arguments = Vec::new();
        if !self.takes(")") {
            loop {
                arguments.push(self.expression()?);
                if !self.takes(",") {
                    break;
                }
            }
            self.closing(at)?;
        }
        let depth = arguments.iter().map(|argument| argument.depth).max().unwrap_or(0);
        self.node(at, depth, Syntax::Call(name, arguments))
    }

    fn closing(&mut self, opened: usize) -> Result<(), Problem> {
        if self.takes(")") {
            return Ok(());
        }
        let character = self.text[..opened].chars().count() + 1;
        Err(fault(self.text, self.at(), "unexpected", self.peek().shown())
            .expected(format!("`)` for what begins at character {character}, or an operator")))
    }
}
