//! Tests of collections: `any` and `all`, over rows that point at a row and rows linked to it.

use custodia_schema::{Schema, Table};

use super::{ODataError, Parser, Token};
use crate::odata::names::{CollectionNavigation, Tie};
use crate::odata::path::{Rows, unknown};
use crate::{Exists, Filter, Link, LinkKind, Path};

impl<'t> Parser<'_, 't, '_> {
    /// Reads what stands in the parentheses of `any` or `all`.
    pub(super) fn lambda(&mut self, rows: Rows, at: usize) -> Result<Filter, ODataError> {
        self.deeper()?;
        self.count_test(at)?;
        let Rows { near, navigation, all } = rows;
        let word = if all { "all" } else { "any" };
        self.expect(&Token::Open, &format!("expected '(' after '{word}'"))?;
        let Some(far) = self.paths.schema.table(navigation.table) else {
            return Err(unknown(&self.lexer, at, &navigation.name, &self.paths.table.name));
        };
        let (mut exists, row) = collection(self.paths.schema, near, &navigation, far)
            .ok_or_else(|| unknown(&self.lexer, at, &navigation.name, &self.paths.table.name))?;
        let around = self.paths.enter(&self.lexer, at, far, row)?;
        if self.token == Token::Close && !all {
            self.take()?;
            self.paths.leave(&around);
            self.depth -= 1;
            return Ok(Filter::Exists(Box::new(exists)));
        }
        let Token::Word(variable) = self.token else {
            return Err(self.unexpected("expected a name for the rows of the collection, as in any(o:o/name eq 'x')"));
        };
        if self.variables.contains(&variable) {
            return Err(self
                .lexer
                .invalid(self.at, format!("'{variable}' already names the rows of a collection around")));
        }
        self.take()?;
        self.expect(&Token::Colon, &format!("expected ':' after '{variable}'"))?;
        self.variables.push(variable);
        let inner = self.either()?;
        let inner = self.test(inner)?;
        self.expect(&Token::Close, "expected 'and', 'or' or ')'")?;
        self.variables.pop();
        self.paths.leave(&around);
        self.depth -= 1;
        // All pass where there is none that does not.
        exists.filter = if all { Filter::Not(Box::new(inner)) } else { inner };
        let exists = Filter::Exists(Box::new(exists));
        Ok(if all { Filter::Not(Box::new(exists)) } else { exists })
    }

    /// Within a collection, takes the name of its row and the slash that begin a path. Gives the name that follows and where it
    /// starts; it is looked at no more, and the lexer stands behind it.
    pub(super) fn after_variable(&mut self, first: &'t str, at: usize) -> Result<(&'t str, usize), ODataError> {
        let Some(variable) = self.variables.last() else { return Ok((first, at)) };
        if first == "$it" || (first != *variable && self.variables.contains(&first)) {
            return Err(self.lexer.invalid(
                at,
                format!("'{first}' is a row outside of the collection; expected a path that begins with '{variable}/'"),
            ));
        }
        let problem = format!("expected a path that begins with '{variable}/', found '{first}'");
        if first != *variable {
            return Err(self.lexer.invalid(at, problem));
        }
        let mut ahead = self.lexer;
        if ahead.next()?.0 != Token::Slash {
            return Err(self.lexer.invalid(at, problem));
        }
        let (Token::Word(next), next_at) = ahead.next()? else {
            return Err(self.lexer.invalid(ahead.at(), problem));
        };
        self.lexer = ahead;
        Ok((next, next_at))
    }
}

/// The test that there is a row in a collection, of any kind, and the number that the row has within the test.
fn collection(schema: &Schema, near: Path, navigation: &CollectionNavigation, far: &Table) -> Option<(Exists, usize)> {
    Some(match navigation.tie {
        Tie::Lookup { lookup } => {
            let exists = Exists { near, table: far.id, far: lookup, links: Vec::new(), filter: Filter::True };
            (exists, 0)
        }
        Tie::Link { relationship, far_is_second } => {
            let link = schema.many_to_many().get(usize::try_from(relationship.0).ok()?)?;
            let (here, there) = match far_is_second {
                true => (link.first_column, link.second_column),
                false => (link.second_column, link.first_column),
            };
            let linked = Link {
                from: 0,
                table: far.id,
                near: there,
                far: far.primary_id,
                kind: LinkKind::Inner,
                filter: Filter::True,
                fields: Vec::new(),
                order: Vec::new(),
            };
            let links = vec![linked];
            (Exists { near, table: link.intersect, far: here, links, filter: Filter::True }, 1)
        }
    })
}
