//! Every operator that both languages have says the same in both.

use custodia_oracle::speech::{Language, Met, limits};
use custodia_query::fetchxml::{Fetch, Question};
use custodia_query::odata::{parse_options, write_options};
use custodia_query::operator::Operator;
use custodia_query::{Field, Filter, Phrase, Query};

use crate::world::{asker, schema, vocabulary};
use crate::{questions, words};

#[test]
fn every_operator_says_the_same_in_both_languages() {
    let mut met = Met::default();
    let mut phrases: Vec<Phrase> = Vec::new();
    for seed in 0..questions() {
        for language in [Language::OData, Language::FetchXml] {
            let made = vocabulary().query(language, seed).unwrap().phrases;
            phrases.extend(made.into_iter().filter(|phrase| phrase.path.row == 0 && phrase.path.steps.is_empty()));
        }
    }
    for phrase in &phrases {
        let (Some(name), Some(_)) = (phrase.operator.fetchxml_name(), phrase.operator.function_name()) else {
            continue;
        };
        let table = schema().table(phrase.table).unwrap();
        let filter = phrase.filter(schema(), asker()).unwrap();
        let mut query = Query { filter: filter.clone(), ..Query::of(table, 10) };
        query.fields.extend(table.column("versionnumber").map(|column| Field::Column(column.id)));
        let said = std::slice::from_ref(phrase);
        let fetch = Fetch::of_query(&words(said), &query);
        let options = write_options(&words(said), &query);
        let (Ok(fetch), Ok(options)) = (fetch, options) else { continue };
        let text = fetch.print();
        assert!(text.contains(&format!("operator=\"{name}\"")), "{text}");
        let function = phrase.operator.function_name().unwrap();
        assert!(options.iter().any(|(_, value)| value.contains(&format!(".{function}("))), "{options:?}");
        let Question::Rows(read) =
            Fetch::read(&text, &limits()).unwrap().resolve(schema(), asker(), &limits()).unwrap()
        else {
            panic!("{text}");
        };
        let parsed = parse_options(schema(), table, &options, &limits(), Some(asker())).unwrap();
        assert_eq!(read.query.filter, filter, "{text}");
        assert_eq!(parsed.query.filter, filter, "{options:?}");
        assert_ne!(filter, Filter::True, "{text}");
        met.note(name);
    }
    let both: Vec<&str> = Operator::all()
        .filter(|operator| operator.function_name().is_some())
        .filter_map(Operator::fetchxml_name)
        .collect();
    assert!(both.len() > 70, "{both:?}");
    let rare = met.rarer(&both, 3);
    assert!(rare.is_empty(), "{rare:?}");
}
