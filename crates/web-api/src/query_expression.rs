//! `QueryExpression`: a query as an object of JSON, into FetchXML's tree.
//!
//! What is not understood is refused, never passed over: a test that is left out would find records that nobody asked for.

use custodia_query::Comparison;
use custodia_query::fetchxml::{Condition, Contents, Fetch, FilterElement, LinkElement, LinkType, Test};
use custodia_query::odata::Limits;
use custodia_query::operator::Operator;

use crate::body::{Json, JsonKind, Object};
use crate::failure::Failure;

/// Operators that are called otherwise here than in query functions.
const OPERATORS: [(&str, Operator); 8] = [
    ("Equal", Operator::Compare(Comparison::Equal)),
    ("NotEqual", Operator::Compare(Comparison::NotEqual)),
    ("GreaterThan", Operator::Compare(Comparison::Greater)),
    ("GreaterEqual", Operator::Compare(Comparison::GreaterOrEqual)),
    ("LessThan", Operator::Compare(Comparison::Less)),
    ("LessEqual", Operator::Compare(Comparison::LessOrEqual)),
    ("Null", Operator::Null),
    ("NotNull", Operator::NotNull),
];

/// Operators of the SDK that have no words in FetchXML here.
const LATER_OPERATORS: [&str; 6] = ["ChildOf", "Contains", "DoesNotContain", "Mask", "MasksSelect", "NotMask"];

/// Ways of joining that leave rows out or in, and say nothing else.
const JOINS: [(&str, LinkType); 5] = [
    ("Inner", LinkType::Inner),
    ("LeftOuter", LinkType::Outer),
    ("Natural", LinkType::Inner),
    ("Exists", LinkType::Exists),
    ("In", LinkType::In),
];

/// Members that choose columns and orders, tell equal rows apart or hint at how to go about it: they do not change which records
/// are found.
const SHOWING: [&str; 9] =
    ["@odata.type", "ColumnSet", "Columns", "Orders", "Distinct", "NoLock", "QueryHints", "ForceSeek", "ExtensionData"];

/// Reads a query.
///
/// # Errors
/// What is not understood, in the words of the query.
pub(crate) fn read(query: &Object<'_>, limits: &Limits) -> Result<Fetch, Failure> {
    let mut contents = Contents { no_attributes: true, ..Contents::default() };
    for (name, value) in query.members() {
        match name {
            "@odata.type" => is_type(value, "QueryExpression")?,
            "EntityName" => {}
            "Criteria" => contents.filters.extend(filter(value, limits.fetchxml_depth_max)?),
            "LinkEntities" => contents.links = links(value, limits.fetchxml_depth_max)?,
            "PageInfo" => is_first_page(value)?,
            known if SHOWING.contains(&known) => {}
            _ if says_nothing(value) => {}
            other => return Err(Failure::unsupported(format!("'{other}' of a QueryExpression"))),
        }
    }
    Ok(Fetch {
        top: None,
        count: None,
        page: None,
        paging_cookie: None,
        total: false,
        distinct: false,
        aggregate: false,
        aggregate_limit: None,
        raw_order: false,
        retained: false,
        table: query.need_text("EntityName")?,
        contents,
    })
}

/// A `FilterExpression`; `None` where it is null.
fn filter(value: Json<'_>, depth: usize) -> Result<Option<FilterElement>, Failure> {
    if value.is_null() {
        return Ok(None);
    }
    let filter = object("a FilterExpression", value)?;
    let mut element = FilterElement::default();
    let depth = depth.checked_sub(1).ok_or_else(|| Failure::invalid("the filters stand too deep within each other"))?;
    for (name, value) in filter.members() {
        match name {
            "@odata.type" => is_type(value, "FilterExpression")?,
            "FilterOperator" => {
                element.any = match value.text_as(name)?.as_str() {
                    "And" => false,
                    "Or" => true,
                    _ => return Err(Failure::body("'FilterOperator' is neither \"And\" nor \"Or\"")),
                };
            }
            "Conditions" => {
                for one in objects(name, value)? {
                    element.tests.push(Test::Condition(condition(&one)?));
                }
            }
            "Filters" => {
                for one in values(name, value)? {
                    element.tests.extend(self::filter(one, depth)?.map(Test::Filter));
                }
            }
            "FilterHint" | "ExtensionData" => {}
            _ if says_nothing(value) => {}
            other => return Err(Failure::unsupported(format!("'{other}' of a FilterExpression"))),
        }
    }
    // Nothing to be tested: FetchXML has no empty test of one of several.
    Ok(Some(element).filter(|element| !element.tests.is_empty()))
}

fn condition(given: &Object<'_>) -> Result<Condition, Failure> {
    let operator = given.need_text("Operator")?;
    let mut condition = Condition {
        attribute: given.need_text("AttributeName")?,
        operator: operator_named(&operator)?.to_owned(),
        values: Vec::new(),
        value_of: None,
        entity: None,
    };
    let mut compares_columns = false;
    for (name, value) in given.members() {
        match name {
            "@odata.type" => is_type(value, "ConditionExpression")?,
            "AttributeName" | "Operator" | "ExtensionData" => {}
            "EntityName" => condition.entity = given.text_of(name)?.filter(|name| !name.is_empty()),
            "CompareColumns" => compares_columns = given.boolean_of(name)?.unwrap_or(false),
            "Values" => {
                for one in values(name, value)? {
                    condition.values.push(literal(one)?);
                }
            }
            _ if says_nothing(value) => {}
            other => return Err(Failure::unsupported(format!("'{other}' of a ConditionExpression"))),
        }
    }
    if compares_columns {
        let mut columns = std::mem::take(&mut condition.values).into_iter();
        condition.value_of = columns.next();
        if condition.value_of.is_none() || columns.next().is_some() {
            return Err(Failure::body(
                "a ConditionExpression with CompareColumns has the name of one column as its value",
            ));
        }
    }
    Ok(condition)
}

fn links(value: Json<'_>, depth: usize) -> Result<Vec<LinkElement>, Failure> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let depth = depth.checked_sub(1).ok_or_else(|| Failure::invalid("the links stand too deep within each other"))?;
    objects("LinkEntities", value)?.iter().map(|link| self::link(link, depth)).collect()
}

fn link(given: &Object<'_>, depth: usize) -> Result<LinkElement, Failure> {
    let mut link = LinkElement {
        table: given.need_text("LinkToEntityName")?,
        from: Some(given.need_text("LinkToAttributeName")?),
        to: Some(given.need_text("LinkFromAttributeName")?),
        alias: None,
        kind: LinkType::Inner,
        contents: Contents { no_attributes: true, ..Contents::default() },
    };
    for (name, value) in given.members() {
        match name {
            "@odata.type" => is_type(value, "LinkEntity")?,
            "LinkFromEntityName" | "LinkFromAttributeName" | "LinkToEntityName" | "LinkToAttributeName" => {}
            "EntityAlias" => link.alias = given.text_of(name)?.filter(|alias| !alias.is_empty()),
            "JoinOperator" => {
                let text = value.text_as(name)?;
                let found = JOINS.iter().find(|(known, _)| *known == text).map(|(_, kind)| *kind);
                link.kind =
                    found.ok_or_else(|| Failure::unsupported(format!("the JoinOperator '{text}' of a LinkEntity")))?;
            }
            "LinkCriteria" => link.contents.filters.extend(filter(value, depth)?),
            "LinkEntities" => link.contents.links = links(value, depth)?,
            known if SHOWING.contains(&known) => {}
            _ if says_nothing(value) => {}
            other => return Err(Failure::unsupported(format!("'{other}' of a LinkEntity"))),
        }
    }
    Ok(link)
}

/// The name that FetchXML has for an operator.
fn operator_named(name: &str) -> Result<&'static str, Failure> {
    let known = OPERATORS.iter().find(|(known, _)| *known == name).map(|(_, operator)| *operator);
    let operator = known.or_else(|| Operator::of_function(name)).and_then(Operator::fetchxml_name);
    operator.ok_or_else(|| {
        if LATER_OPERATORS.contains(&name) {
            return Failure::unsupported(format!("the operator '{name}' of a ConditionExpression"));
        }
        Failure::body(format!("there is no operator '{name}'; use names of the SDK such as Equal, Like, OnOrAfter"))
    })
}

/// A value of a condition, bare or as `{"Value":…,"Type":"System.Guid"}`.
fn literal(value: Json<'_>) -> Result<String, Failure> {
    let wrong = || {
        let found = value.noun();
        Failure::body(format!(
            "a value of a ConditionExpression is {found}; a text, a number or true or false was expected"
        ))
    };
    match value.kind() {
        JsonKind::Text => value.text().map_err(|_| wrong()),
        JsonKind::Number => value.number().map(str::to_owned).map_err(|_| wrong()),
        JsonKind::Boolean => value.boolean().map(|is| if is { "1" } else { "0" }.to_owned()).map_err(|_| wrong()),
        JsonKind::Object => {
            let inner = object("a value of a ConditionExpression", value)?;
            let inner = inner.need("Value")?;
            // One level: a value is no value of a value.
            if inner.kind() == JsonKind::Object { Err(wrong()) } else { literal(inner) }
        }
        JsonKind::Null | JsonKind::List => Err(wrong()),
    }
}

/// A page that is not the first would leave records out.
fn is_first_page(value: Json<'_>) -> Result<(), Failure> {
    if value.is_null() {
        return Ok(());
    }
    for (name, value) in object("a PagingInfo", value)?.members() {
        let is_all = match name {
            _ if value.is_null() => true,
            "@odata.type" => is_type(value, "PagingInfo").map(|()| true)?,
            "PageNumber" => value.natural_as(name)? <= 1,
            "Count" => value.natural_as(name)? == 0,
            "PagingCookie" => value.text_as(name)?.is_empty(),
            "ReturnTotalRecordCount" => value.boolean_as(name).map(|_| true)?,
            "ExtensionData" => true,
            _ => says_nothing(value),
        };
        if !is_all {
            return Err(Failure::unsupported(format!("a page of a QueryExpression ('{name}')")));
        }
    }
    Ok(())
}

fn is_type(value: Json<'_>, expected: &str) -> Result<(), Failure> {
    let text = value.text_as("@odata.type")?;
    let name = text.trim_start_matches('#').strip_prefix("Microsoft.Dynamics.CRM.");
    if name == Some(expected) {
        return Ok(());
    }
    Err(Failure::body(format!("'@odata.type' is '{text}'; Microsoft.Dynamics.CRM.{expected} was expected")))
}

/// Null, false and what is empty say nothing under any name.
fn says_nothing(value: Json<'_>) -> bool {
    let is_empty = |text: String| text.is_empty();
    value.is_null() || value.is_empty_list() || matches!(value.boolean(), Ok(false)) || value.text().is_ok_and(is_empty)
}

fn object<'b>(what: &str, value: Json<'b>) -> Result<Object<'b>, Failure> {
    let wrong = || Failure::body(format!("{what} is {}; an object was expected", value.noun()));
    value.object()?.ok_or_else(wrong)
}

fn objects<'b>(name: &str, value: Json<'b>) -> Result<Vec<Object<'b>>, Failure> {
    let wrong = || Failure::body(format!("'{name}' is {}; a list of objects was expected", value.noun()));
    if value.is_null() { Ok(Vec::new()) } else { value.objects()?.ok_or_else(wrong) }
}

fn values<'b>(name: &str, value: Json<'b>) -> Result<Vec<Json<'b>>, Failure> {
    let wrong = || Failure::body(format!("'{name}' is {}; a list was expected", value.noun()));
    if value.is_null() { Ok(Vec::new()) } else { value.list()?.ok_or_else(wrong) }
}
