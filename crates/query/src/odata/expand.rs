//! `$expand`: related records shown with each record, and within each other. How deep is bounded by
//! [`Limits::expand_max`], which counts navigations on every level.

use custodia_schema::{Column, Guid, Schema, Table};

use super::filter::{Given, filter};
use super::lexer::{Lexer, Token};
use super::names::{CollectionNavigation, Navigation, SingleNavigation, navigation};
use super::order::order;
use super::path::{PathReader, unknown};
use super::select::{Selection, projection};
use super::shape::{ExpandShape, Shape};
use super::{Limits, ODataError};
use crate::{Expand, Field, Filter, Order, Query, Step};

/// What is expanded, and what each of it shows, in the same order.
type Expanded = (Vec<Expand>, Vec<ExpandShape>);

/// One navigation that is expanded, as written.
struct Item<'t> {
    name: &'t str,
    at: usize,
    /// `/$ref` follows the name: addresses only.
    references: bool,
    select: Selection<'t>,
    filter: Option<Lexer<'t>>,
    order: Option<Lexer<'t>>,
    top: Option<u32>,
    expand: Option<Lexer<'t>>,
    /// How often the navigation is followed, from 1.
    levels: usize,
    /// The options but `$levels`, as written.
    written: Vec<(&'t str, &'t str)>,
    /// Where the first option stands that only a collection takes.
    collection_only_at: Option<usize>,
    /// Where the first option stands that says what of the records is shown.
    content_at: Option<usize>,
}

impl Item<'_> {
    /// The options of the navigation as those of a request for its records alone, which `levels` are left of.
    fn options(&self, levels: usize) -> Vec<(String, String)> {
        let mut options: Vec<(String, String)> =
            self.written.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if levels > 1 {
            let mut inner: Vec<String> = self.written.iter().map(|(name, value)| format!("{name}={value}")).collect();
            if levels > 2 {
                inner.push(format!("$levels={}", levels - 1));
            }
            let further = format!("{}({})", self.name, inner.join(";"));
            match options.iter_mut().find(|(name, _)| name == "$expand") {
                Some((_, value)) => *value = format!("{value},{further}"),
                None => options.push(("$expand".to_owned(), further)),
            }
        }
        options
    }
}

/// Reads what is expanded on rows of `table` from the whole of `lexer`.
pub(super) fn expand(
    lexer: Lexer<'_>,
    schema: &Schema,
    limits: &Limits,
    table: &Table,
    given: Given<'_>,
) -> Result<Expanded, ODataError> {
    Expander { schema, limits, given, navigations: 0 }.expand(lexer, table)
}

struct Expander<'s> {
    schema: &'s Schema,
    limits: &'s Limits,
    given: Given<'s>,
    /// Navigations so far, on all levels.
    navigations: usize,
}

impl Expander<'_> {
    fn expand(&mut self, mut lexer: Lexer<'_>, table: &Table) -> Result<Expanded, ODataError> {
        let mut expands = Vec::new();
        let mut shapes: Vec<ExpandShape> = Vec::new();
        loop {
            let (item, token, next_at) = item(&mut lexer, self.limits)?;
            if shapes.iter().any(|known| known.name == item.name) {
                return Err(lexer.invalid(item.at, format!("'{}' is expanded twice", item.name)));
            }
            let (more, more_shapes) = self.item(&lexer, table, &item, item.levels)?;
            expands.extend(more);
            shapes.extend(more_shapes);
            match token {
                Token::Comma => {}
                Token::End => return Ok((expands, shapes)),
                _ => return Err(lexer.invalid(next_at, "expected ',', '(' or the end")),
            }
        }
    }

    fn item(
        &mut self,
        lexer: &Lexer<'_>,
        table: &Table,
        item: &Item<'_>,
        levels: usize,
    ) -> Result<Expanded, ODataError> {
        self.navigations += 1;
        if self.navigations > self.limits.expand_max {
            return Err(lexer.too_much(item.at, "expand_max", self.limits.expand_max));
        }
        let navigation =
            navigation(self.schema, table, item.name).ok_or_else(|| unknown(lexer, item.at, item.name, &table.name))?;
        let leads_to_itself = match &navigation {
            Navigation::Single(single) => single.targets == [table.id],
            Navigation::Collection(collection) => collection.table == table.id,
        };
        if levels > 1 && !leads_to_itself {
            let problem = format!("'{}' leads to another table; expected no '$levels'", item.name);
            return Err(lexer.invalid(item.at, problem));
        }
        match navigation {
            Navigation::Single(single) => {
                if let Some(at) = item.collection_only_at {
                    let problem =
                        format!("'{}' leads to one record at most; expected '$select' or '$expand' only", item.name);
                    return Err(lexer.invalid(at, problem));
                }
                self.single(lexer, table, &single, item, levels)
            }
            Navigation::Collection(collection) => {
                let far = self
                    .schema
                    .table(collection.table)
                    .ok_or_else(|| unknown(lexer, item.at, item.name, &table.name))?;
                let (expand, shape) = self.collection(lexer, table, far, &collection, item, levels)?;
                Ok((vec![expand], vec![shape]))
            }
        }
    }

    /// What is expanded on the records that a navigation leads to.
    fn within(
        &mut self,
        lexer: &Lexer<'_>,
        table: &Table,
        item: &Item<'_>,
        levels: usize,
    ) -> Result<Expanded, ODataError> {
        let (mut expands, mut shapes) = match item.expand {
            Some(inner) => self.expand(inner, table)?,
            None => Expanded::default(),
        };
        if levels > 1 {
            if shapes.iter().any(|shape| shape.name == item.name) {
                return Err(lexer.invalid(item.at, format!("'{}' is expanded twice", item.name)));
            }
            let (more, more_shapes) = self.item(lexer, table, item, levels - 1)?;
            expands.extend(more);
            shapes.extend(more_shapes);
        }
        Ok((expands, shapes))
    }

    fn single(
        &mut self,
        lexer: &Lexer<'_>,
        table: &Table,
        single: &SingleNavigation,
        item: &Item<'_>,
        levels: usize,
    ) -> Result<Expanded, ODataError> {
        let targets: Vec<&Table> =
            single.targets.iter().filter_map(|target| self.schema.table(*target)).map(|target| &**target).collect();
        let selected = match targets.as_slice() {
            [target] => vec![item.select.columns(target)?],
            several => {
                let id_name = table.column_by_id(single.lookup).map_or("", |lookup| lookup.name.as_str());
                item.select.columns_of_owner(several, id_name)?
            }
        };
        let mut expanded = Expanded::default();
        // What is expanded on an owner need not be known on users and teams both.
        let mut unknown_on_all = None;
        let mut known = false;
        for (target, columns) in targets.iter().zip(selected) {
            let (expand, shapes) = match self.within(lexer, target, item, levels) {
                Ok(inner) => {
                    known = true;
                    inner
                }
                Err(error @ ODataError::UnknownProperty { .. }) => {
                    unknown_on_all.get_or_insert(error);
                    Expanded::default()
                }
                Err(error) => return Err(error),
            };
            let (fields, mut shape) = shown(target, item, columns.as_deref());
            shape.expand = shapes;
            let step = Step { lookup: single.lookup, target: target.id };
            expanded.0.push(Expand::One { name: single.name.clone(), step, fields, expand });
            expanded.1.push(ExpandShape {
                name: single.name.clone(),
                collection: false,
                references: item.references,
                options: Vec::new(),
                shape,
            });
        }
        match unknown_on_all {
            Some(error) if !known => Err(error),
            _ => Ok(expanded),
        }
    }

    fn collection(
        &mut self,
        lexer: &Lexer<'_>,
        table: &Table,
        far: &Table,
        collection: &CollectionNavigation,
        item: &Item<'_>,
        levels: usize,
    ) -> Result<(Expand, ExpandShape), ODataError> {
        let columns = item.select.columns(far)?;
        let (fields, mut shape) = shown(far, item, columns.as_deref());
        let mut paths = PathReader::new(self.schema, self.limits, far);
        let filter = match item.filter {
            Some(lexer) => filter(lexer, self.given, &mut paths)?,
            None => Filter::True,
        };
        let order: Vec<Order> = match item.order {
            Some(lexer) => order(lexer, self.given, &mut paths)?,
            None => Vec::new(),
        };
        let (expand, shapes) = self.within(lexer, far, item, levels)?;
        shape.expand = shapes;
        let query = Query {
            fields,
            filter,
            related: Some(collection.of(table.id, Guid::nil())),
            order,
            top: item.top,
            expand,
            ..Query::of(far, self.limits.page_rows_max.max(1))
        };
        let name = collection.name.clone();
        let shape = ExpandShape {
            name: name.clone(),
            collection: true,
            references: item.references,
            options: item.options(levels),
            shape,
        };
        Ok((Expand::Many { name, query: Box::new(query) }, shape))
    }
}

/// What to read and what to show of the records that a navigation leads to.
fn shown(table: &Table, item: &Item<'_>, columns: Option<&[&Column]>) -> (Vec<Field>, Shape) {
    if !item.references {
        let (fields, shape) = projection(table, columns);
        return (fields, Shape { as_owner: item.select.names_owner_id(table), ..shape });
    }
    let (_, shape) = projection(table, Some(&[]));
    (vec![Field::Column(table.primary_id)], shape)
}

/// Reads the name of a navigation and its options. Also gives the token after it and where that starts.
fn item<'t>(lexer: &mut Lexer<'t>, limits: &Limits) -> Result<(Item<'t>, Token<'t>, usize), ODataError> {
    let (name, at) = match lexer.next()? {
        (Token::Word(name), at) => (name, at),
        (Token::Star, at) => return Err(lexer.unsupported(at, "'*' in $expand")),
        (_, at) => return Err(lexer.invalid(at, "expected the name of a navigation")),
    };
    let mut item = Item {
        name,
        at,
        references: false,
        select: Selection::everything(*lexer),
        filter: None,
        order: None,
        top: None,
        expand: None,
        levels: 1,
        written: Vec::new(),
        collection_only_at: None,
        content_at: None,
    };
    let (mut token, mut next_at) = lexer.next()?;
    if token == Token::Slash {
        match lexer.next()? {
            (Token::Word("$ref"), _) if !limits.withheld.has("odata.expand", "$ref") => item.references = true,
            (Token::Word("$count"), at) => {
                return Err(lexer.invalid(at, "'$count' of an expanded collection is not supported"));
            }
            (_, at) => return Err(lexer.unsupported(at, format!("'{}' in $expand", lexer.slice(at, lexer.at())))),
        }
        (token, next_at) = lexer.next()?;
    }
    if token == Token::Open {
        read_options(lexer, &mut item, limits)?;
        (token, next_at) = lexer.next()?;
    }
    if let (true, Some(at)) = (item.references, item.content_at) {
        return Err(lexer.invalid(at, "addresses show no columns; expected '$filter', '$orderby' or '$top'"));
    }
    Ok((item, token, next_at))
}

/// Reads options separated by `;` up to and with the closing parenthesis.
fn read_options<'t>(lexer: &mut Lexer<'t>, item: &mut Item<'t>, limits: &Limits) -> Result<(), ODataError> {
    let mut seen: Vec<&str> = Vec::new();
    loop {
        let (name, at) = match lexer.next()? {
            (Token::Word(name), at) => (name, at),
            (Token::Close, _) if seen.is_empty() => return Ok(()),
            (_, at) => return Err(lexer.invalid(at, "expected an option like '$select'")),
        };
        let (Token::Equals, _) = lexer.next()? else {
            return Err(lexer.invalid(lexer.at(), format!("expected '=' after '{name}'")));
        };
        if seen.contains(&name) {
            return Err(lexer.invalid(at, format!("'{name}' is given twice")));
        }
        seen.push(name);
        let start = lexer.at();
        let end = lexer.end_of_stretch(&[';', ')']);
        let value = lexer.within(start, end);
        lexer.go_to(end);
        match name {
            withheld if limits.withheld.has("odata.expand", withheld) => {
                return Err(lexer.invalid(at, format!("this service has no option '{withheld}' within $expand")));
            }
            "$select" => item.select = Selection::read(value)?,
            "$filter" => item.filter = Some(value),
            "$orderby" => item.order = Some(value),
            "$top" => item.top = Some(top(value)?),
            "$expand" => item.expand = Some(value),
            "$levels" => item.levels = levels(value, limits)?,
            _ => {
                let problem = format!(
                    "the option '{name}' is not supported within $expand; expected $select, $filter, $orderby, $top, \
                     $expand or $levels"
                );
                return Err(lexer.invalid(at, problem));
            }
        }
        match name {
            "$select" | "$expand" | "$levels" => item.content_at.get_or_insert(at),
            _ => item.collection_only_at.get_or_insert(at),
        };
        if name != "$levels" {
            item.written.push((name, lexer.slice(start, end).trim()));
        }
        match lexer.rest().chars().next() {
            Some(';') => lexer.go_to(end + 1),
            Some(')') => {
                lexer.go_to(end + 1);
                return Ok(());
            }
            _ => return Err(lexer.invalid(end, "expected ';' or ')'")),
        }
    }
}

/// Reads the number of a `$levels`.
fn levels(lexer: Lexer<'_>, limits: &Limits) -> Result<usize, ODataError> {
    let at = lexer.at();
    match usize::try_from(top(lexer)?) {
        Ok(0) => Err(lexer.invalid(at, "expected a whole number from 1")),
        Ok(levels) if levels <= limits.expand_max => Ok(levels),
        _ => Err(lexer.too_much(at, "expand_max", limits.expand_max)),
    }
}

/// Reads the number of a `$top`.
pub(super) fn top(mut lexer: Lexer<'_>) -> Result<u32, ODataError> {
    lexer.skip_blanks();
    let digits = lexer.rest().trim_end_matches(' ');
    let number = (digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse::<i32>().ok()).flatten();
    number
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| lexer.invalid(lexer.at(), format!("expected a whole number from 0 to {}", i32::MAX)))
}
