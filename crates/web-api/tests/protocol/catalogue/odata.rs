//! OData: operators and functions of `$filter`, options, expansions, groups, and `?sql=`. Query functions stand beside the operators
//! of FetchXML that mean the same.

use serde_json::{Value as Json, json};

use super::case::{Case, Expected, SOMETHING, letters, rows};
use super::row::Row;

/// The letters of the accounts that pass a filter.
fn found(part: &str, filter: &str, expected: &str) -> Row {
    let target = format!("accounts?$select=accountnumber&$orderby=accountnumber&$filter={filter}");
    Row::asked(part, Case::get(&target, letters("accountnumber", expected)))
}

fn answered(part: &str, target: &str, expected: Expected) -> Row {
    Row::asked(part, Case::get(target, expected))
}

fn refused(part: &str, status: u16, code: &'static str, target: &str) -> Row {
    answered(part, target, Expected::Refused(status, code))
}

/// Everything but query functions.
pub fn odata() -> Vec<Row> {
    let mut rows = filters();
    rows.extend(refused_in_filters());
    rows.extend(options());
    rows.extend(expansions());
    rows.extend(groups());
    rows
}

fn filters() -> Vec<Row> {
    let listed = "accounts?$select=accountnumber&$orderby=accountnumber&$filter=accountnumber in @p&@p=('A','E')";
    let aliased = "accounts?$select=accountnumber&$orderby=accountnumber&$filter=accountnumber eq @p&@p='E'";
    vec![
        found("odata.operator.eq", "name eq 'CONTOSO'", "C"),
        found("odata.operator.ne", "address1_city ne 'Paris'", "EF").but("null differs from every value"),
        found("odata.operator.gt", "numberofemployees gt 10", "E"),
        found("odata.operator.ge", "numberofemployees ge 10", "ACE"),
        found("odata.operator.lt", "numberofemployees lt 25", "AC"),
        found("odata.operator.le", "numberofemployees le 25", "ACE"),
        found("odata.operator.and", "numberofemployees eq 10 and revenue gt 600", "C"),
        found("odata.operator.or", "accountnumber eq 'A' or numberofemployees eq 25", "AE"),
        found("odata.operator.not", "not (numberofemployees ge 11)", "ACF").but("the exact complement"),
        found("odata.operator.in", "accountnumber in ('A','F','x')", "AF"),
        found("odata.operator (parentheses)", "accountnumber ne 'A' and (revenue gt 600 or numberofemployees eq 25)", "CE"),
        found("odata.literal.null", "address1_city eq null", "F"),
        found("odata.literal.null", "address1_city ne null", "ACE"),
        found("odata.literal.guid", "accountid eq {contoso}", "C"),
        found("odata.literal.guid", "accountid eq '{contoso}'", "C").but("also quoted"),
        found("odata.literal.date", "createdon ge 2026-01-02", "ACEF"),
        found("odata.literal.date", "createdon lt '2026-01-02T00:00:00Z'", "").but("also quoted"),
        found("odata.literal.text", "name eq 'it''s'", ""),
        found("odata.literal.choice", "industrycode eq 2", "E"),
        found("odata.literal.boolean", "creditonhold eq true", "C"),
        found("odata.filter.two-columns", "address1_city eq fax", "A"),
        found("odata.filter.lookup", "_parentaccountid_value eq {contoso}", "E"),
        found("odata.filter.path", "parentaccountid/name eq 'contoso'", "E"),
        found("odata.filter.path", "parentaccountid/primarycontactid/lastname eq 'ann'", "E"),
        answered("odata.filter.parameter-alias", aliased, letters("accountnumber", "E")),
        answered("odata.filter.parameter-alias", listed, letters("accountnumber", "AE")),
        found("odata.function.contains", "contains(name,'SO e')", "E"),
        found("odata.function.startswith", "startswith(name,'contoso ')", "EF"),
        found("odata.function.endswith", "endswith(name,'far')", "F"),
        found("odata.function (wildcards)", "startswith(name,'[a-b]_v%')", "A"),
        found("odata.function (null)", "not contains(address1_city,'aris')", "EF").but("the complement has those without a value"),
        found("odata.lambda.any", "contact_customer_accounts/any(o:o/lastname eq 'ann')", "C"),
        found("odata.lambda.any", "contact_customer_accounts/any()", "AC"),
        found("odata.lambda.any", "accountleads_association/any(l:l/lastname eq 'lee')", "C").but("over N:N too"),
        found("odata.lambda.any", "contact_customer_accounts/any(c:c/account_primary_contact/any(a:a/name eq 'adventure'))", "A"),
        found("odata.lambda.all", "contact_customer_accounts/all(o:o/lastname eq 'cid')", "AEF").but("true of an empty collection"),
        found(
            "odata.lambda.any",
            "contact_customer_accounts/any(o:o/Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=['Cid','x']))",
            "A",
        )
        .but("query functions stand within it"),
    ]
}

fn refused_in_filters() -> Vec<Row> {
    let mut all = Vec::new();
    for operator in ["add", "sub", "mul", "div", "mod"] {
        let target = format!("accounts?$filter=numberofemployees {operator} 1 eq 2");
        all.push(refused(&format!("odata.operator.{operator}"), 400, "0x80060888", &target));
    }
    for call in [
        "tolower(name) eq 'x'",
        "toupper(name) eq 'X'",
        "length(name) eq 1",
        "indexof(name,'x') eq 1",
        "substring(name,1) eq 'x'",
        "trim(name) eq 'x'",
        "concat(name,'x') eq 'x'",
        "year(createdon) eq 2024",
        "month(createdon) eq 1",
        "day(createdon) eq 1",
        "hour(createdon) eq 1",
        "minute(createdon) eq 1",
        "second(createdon) eq 1",
        "round(revenue) eq 1",
        "cast(revenue,Edm.String) eq '1'",
    ] {
        let name = call.split('(').next().unwrap();
        all.push(refused(&format!("odata.function.{name}"), 400, "0x80060888", &format!("accounts?$filter={call}")));
    }
    all.push(refused(
        "odata.filter (count of a collection)",
        400,
        "0x80060888",
        "accounts?$filter=contact_customer_accounts/$count gt 1",
    ));
    all.push(refused(
        "odata.filter (types in paths)",
        501,
        "0x80060888",
        "accounts?$filter=ownerid/Microsoft.Dynamics.CRM.systemuser/fullname eq 'x'",
    ));
    all.push(refused("odata.filter (unknown property)", 400, "0x0", "accounts?$filter=nothing eq 1"));
    all.push(refused("odata.filter (malformed)", 400, "0x80060888", "accounts?$filter=name eq"));
    all
}

fn options() -> Vec<Row> {
    let paris = || letters("accountnumber", "AC");
    let query = "<fetch><entity name='account'><attribute name='accountnumber'/><order attribute='accountnumber' \
         descending='true'/></entity></fetch>";
    let selected = "SELECT accountnumber FROM account ORDER BY accountnumber";
    vec![
        answered(
            "odata.option.$select",
            "accounts({contoso})?$select=name,numberofemployees",
            Expected::Body(json!({"name": "Contoso", "numberofemployees": 10, "accountid": "{contoso}", "fax": null})),
        ),
        answered("odata.option.$filter", "accounts?$filter=accountnumber eq 'C'", letters("accountnumber", "C")),
        answered(
            "odata.option.$orderby",
            "accounts?$orderby=numberofemployees desc,accountnumber",
            letters("accountnumber", "EACF"),
        )
        .but("nulls first ascending"),
        answered(
            "odata.option.$orderby",
            "accounts?$orderby=primarycontactid/lastname desc,accountnumber desc&$top=2",
            letters("accountnumber", "AC"),
        )
        .but("over lookups too"),
        answered("odata.option.$top", "accounts?$orderby=accountnumber&$top=2", letters("accountnumber", "AC")),
        answered(
            "odata.option.$count",
            "accounts?$count=true&$top=0",
            Expected::Body(json!({"@odata.count": 4, "value": []})),
        ),
        answered(
            "odata.option.$expand",
            "accounts({contoso})?$expand=primarycontactid",
            Expected::Body(json!({"primarycontactid": {"lastname": "Ann"}})),
        ),
        answered("odata.option.$apply", "accounts?$apply=aggregate($count as n)", rows(json!([{"n": 4}]))),
        Row::asked(
            "odata.option.fetchXml",
            Case::option("accounts", "fetchXml", query, letters("accountnumber", "FECA")),
        ),
        answered("odata.option.savedQuery", "accounts?savedQuery={saved}", paris()),
        answered("odata.option.userQuery", "accounts?userQuery={own}", paris()),
        refused("odata.option.savedQuery", 501, "0x80060888", "accounts?savedQuery={saved}&$select=name")
            .but("options of OData beside a view are not there yet"),
        Row::asked("odata.option.sql", Case::option("accounts", "sql", selected, letters("accountnumber", "ACEF"))),
        Row::tested("odata.option.$skiptoken", "paging.rs: links_carry_everything_and_are_sealed"),
        Row::tested("odata.option.$deltatoken", "delta.rs: a_list_ends_in_the_link_to_its_changes"),
        refused("odata.option.$skip", 400, "0x80060888", "accounts?$skip=1").but("not part of Dataverse"),
        refused("odata.option.$search", 400, "0x80060888", "accounts?$search=x").but("not part of Dataverse"),
        refused("odata.option.$compute", 501, "0x80060888", "accounts?$compute=revenue as x"),
        refused("odata.option (on one record)", 400, "0x80060888", "accounts({contoso})?$top=1"),
        refused("odata.option (given twice)", 400, "0x80060888", "accounts?$top=1&$top=1"),
    ]
}

fn expansions() -> Vec<Row> {
    let contacts = |inside: &str, expected: Json| {
        let target = format!("accounts({{contoso}})?$select=name&$expand=contact_customer_accounts({inside})");
        (target, Expected::Body(json!({"name": "Contoso", "contact_customer_accounts": expected})))
    };
    let many = |part: &str, inside: &str, expected: Json| {
        let (target, expected) = contacts(inside, expected);
        answered(part, &target, expected)
    };
    vec![
        many(
            "odata.expand.$select",
            "$select=lastname;$orderby=lastname",
            json!([{"lastname": "Ann", "birthdate": null}, {"lastname": "Bob", "birthdate": null}]),
        ),
        many("odata.expand.$filter", "$filter=lastname eq 'bob'", json!([{"lastname": "Bob"}])),
        many("odata.expand.$orderby", "$orderby=lastname desc", json!([{"lastname": "Bob"}, {"lastname": "Ann"}])),
        many("odata.expand.$top", "$orderby=lastname;$top=1", json!([{"lastname": "Ann"}])),
        many(
            "odata.expand.$expand",
            "$orderby=lastname;$expand=account_primary_contact($select=name)",
            json!([
                {"lastname": "Ann", "account_primary_contact": [{"name": "Contoso"}]},
                {"lastname": "Bob", "account_primary_contact": []}
            ]),
        ),
        answered(
            "odata.expand.$levels",
            "accounts({far})?$select=name&$expand=parentaccountid($select=name;$levels=2)",
            Expected::Body(
                json!({"parentaccountid": {"name": "Contoso East", "parentaccountid": {"name": "Contoso"}}}),
            ),
        ),
        answered(
            "odata.expand.$ref",
            "accounts({contoso})?$select=name&$expand=primarycontactid/$ref",
            Expected::Body(json!({"primarycontactid": {"@odata.id": SOMETHING, "lastname": null}})),
        ),
        answered(
            "odata.expand (nobody there)",
            "accounts({far})?$select=name&$expand=primarycontactid($select=lastname),contact_customer_accounts($select=lastname)",
            Expected::Body(json!({"primarycontactid": null, "contact_customer_accounts": []})),
        ),
        Row::tested("odata.expand (pages)", "expanding.rs: nested_collections_go_on_where_they_end"),
        Row::tested("odata.expand (limits)", "expanding.rs: answers_read_so_many_collections_and_link_the_rest"),
        refused(
            "odata.expand.$count",
            400,
            "0x80060888",
            "accounts({contoso})?$expand=contact_customer_accounts($count=true)",
        )
        .but("not part of Dataverse"),
        refused("odata.expand.*", 501, "0x80060888", "accounts?$expand=*"),
        refused("odata.expand (unknown)", 400, "0x0", "accounts?$expand=nothing"),
    ]
}

fn groups() -> Vec<Row> {
    let of =
        |part: &str, apply: &str, expected: Json| answered(part, &format!("accounts?$apply={apply}"), rows(expected));
    vec![
        of("odata.apply.filter", "filter(numberofemployees eq 10)/aggregate($count as n)", json!([{"n": 2}])),
        of(
            "odata.apply.groupby",
            "groupby((address1_city))&$orderby=address1_city",
            json!([{"address1_city": null}, {"address1_city": "Paris"}, {"address1_city": "Rome"}]),
        ),
        of(
            "odata.apply.groupby",
            "filter(primarycontactid/lastname ne null)/groupby((primarycontactid/lastname))&$orderby=primarycontactid/lastname",
            json!([{"contact_lastname": "Ann"}, {"contact_lastname": "Cid"}]),
        ),
        of(
            "odata.apply.aggregate",
            "groupby((address1_city),aggregate($count as n))&$orderby=address1_city desc",
            json!([{"address1_city": "Rome", "n": 1}, {"address1_city": "Paris", "n": 2}, {"address1_city": null, "n": 1}]),
        ),
        of("odata.aggregate.sum", "aggregate(numberofemployees with sum as x)", json!([{"x": 45}])),
        of("odata.aggregate.average", "aggregate(numberofemployees with average as x)", json!([{"x": 15}])),
        of("odata.aggregate.min", "aggregate(numberofemployees with min as x)", json!([{"x": 10}])),
        of("odata.aggregate.max", "aggregate(numberofemployees with max as x)", json!([{"x": 25}])),
        of("odata.aggregate.countdistinct", "aggregate(numberofemployees with countdistinct as x)", json!([{"x": 2}])),
        of("odata.aggregate.$count", "aggregate($count as x)", json!([{"x": 4}])),
        Row::tested("odata.apply (pages and limits)", "applying.rs: groups_come_in_pages"),
        refused("odata.apply (by dates)", 400, "0x80060888", "accounts?$apply=groupby((createdon))"),
        refused("odata.apply (unknown)", 400, "0x80060888", "accounts?$apply=topcount(1,revenue)"),
        refused(
            "odata.apply (order by a value)",
            400,
            "0x80060888",
            "accounts?$apply=groupby((name),aggregate($count as n))&$orderby=n",
        ),
    ]
}

/// `?sql=`.
pub fn sql() -> Vec<Row> {
    let ask = |part: &str, text: &str, expected: Json| {
        Row::asked(part, Case::option("accounts", "sql", text, rows(expected)))
    };
    let found = |part: &str, condition: &str, expected: &str| {
        let text = format!("SELECT accountnumber AS n FROM account WHERE {condition} ORDER BY n");
        Row::asked(part, Case::option("accounts", "sql", &text, letters("n", expected)))
    };
    let told = |function: &str, value: u32| {
        let text = format!("SELECT {function}(numberofemployees) AS x FROM account");
        ask(&format!("sql.aggregate.{}", function.to_lowercase()), &text, json!([{"x": value}]))
    };
    let refused = |part: &str, text: &str| {
        Row::asked(part, Case::option("accounts", "sql", text, Expected::Refused(400, "0x80060888")))
    };
    vec![
        ask(
            "sql.clause.distinct",
            "SELECT DISTINCT address1_city FROM account WHERE address1_city IS NOT NULL ORDER BY address1_city",
            json!([{"address1_city": "Paris"}, {"address1_city": "Rome"}]),
        ),
        ask("sql.clause.top", "SELECT TOP 1 name FROM account ORDER BY name", json!([{"name": "Adventure"}])),
        ask(
            "sql.clause.join",
            "SELECT a.name, c.lastname AS person FROM account a INNER JOIN contact c ON a.primarycontactid = c.contactid \
             ORDER BY a.name",
            json!([{"name": "Adventure", "person": "Cid"}, {"name": "Contoso", "person": "Ann"}]),
        ),
        ask(
            "sql.clause.left-join",
            "SELECT a.accountnumber, c.lastname AS person FROM account a LEFT JOIN contact c ON a.primarycontactid = c.contactid \
             WHERE a.accountnumber IN ('C', 'E') ORDER BY a.accountnumber",
            json!([{"accountnumber": "C", "person": "Ann"}, {"accountnumber": "E", "person": null}]),
        ),
        found("sql.clause.where", "name = 'contoso'", "C"),
        ask(
            "sql.clause.group-by",
            "SELECT address1_city AS city, COUNT(*) AS n FROM account WHERE address1_city IS NOT NULL GROUP BY address1_city \
             ORDER BY city",
            json!([{"city": "Paris", "n": 2}, {"city": "Rome", "n": 1}]),
        ),
        ask(
            "sql.clause.order-by",
            "SELECT accountnumber FROM account ORDER BY accountnumber DESC",
            json!([{"accountnumber": "F"}, {"accountnumber": "E"}, {"accountnumber": "C"}, {"accountnumber": "A"}]),
        ),
        found("sql.operator.eq", "accountnumber = 'E'", "E"),
        found("sql.operator.ne", "address1_city <> 'Paris'", "E").but("as in SQL, not where there is no value"),
        found("sql.operator.gt", "numberofemployees > 10", "E"),
        found("sql.operator.ge", "numberofemployees >= 10", "ACE"),
        found("sql.operator.lt", "numberofemployees < 25", "AC"),
        found("sql.operator.le", "numberofemployees <= 25", "ACE"),
        found("sql.operator.and", "numberofemployees = 10 AND revenue > 600", "C"),
        found("sql.operator.or", "accountnumber = 'A' OR numberofemployees = 25", "AE"),
        found("sql.operator.in", "accountnumber IN ('A', 'F')", "AF"),
        found("sql.operator.not-in", "address1_city NOT IN ('Paris')", "E"),
        found("sql.operator.between", "numberofemployees BETWEEN 10 AND 20", "AC"),
        found("sql.operator.not-between", "numberofemployees NOT BETWEEN 10 AND 20", "E"),
        found("sql.operator.like", "name LIKE 'Contoso _a%'", "EF"),
        found("sql.operator.not-like", "address1_city NOT LIKE 'P%'", "E"),
        found("sql.operator.null", "address1_city IS NULL", "F"),
        found("sql.operator.not-null", "address1_city IS NOT NULL", "ACE"),
        told("COUNT", 3),
        told("SUM", 45),
        told("AVG", 15),
        told("MIN", 10),
        told("MAX", 25),
        Row::tested("sql (pages)", "selecting.rs: selections_come_in_pages"),
        Row::tested("sql (rights)", "selecting.rs: only_readable_rows_are_selected"),
        refused("sql.clause.having", "SELECT name FROM account GROUP BY name HAVING COUNT(*) > 1"),
        refused("sql.clause.union", "SELECT name FROM account UNION SELECT name FROM account"),
        refused(
            "sql.clause (sub-select)",
            "SELECT name FROM account WHERE accountid IN (SELECT accountid FROM account)",
        ),
        refused("sql.clause (with)", "WITH x AS (SELECT name FROM account) SELECT name FROM x"),
        refused(
            "sql.clause (right join)",
            "SELECT a.name FROM account a RIGHT JOIN contact c ON a.primarycontactid = c.contactid",
        ),
        refused("sql.clause (*)", "SELECT * FROM account"),
        refused("sql.clause (other statements)", "DELETE FROM account"),
    ]
}
