//! Where the answer of a response is found.

use std::fmt::Write;

use oreal_math::{Missing, Rule, find};

/// What `rule` finds, with the place; else the reason.
fn said(response: &str, rule: Rule) -> String {
    match find(response, rule) {
        Ok(found) => format!("{:?}: {}", found.by, found.text),
        Err(missing) => format!("{missing:?}"),
    }
}

fn check(rule: Rule, cases: &[(&str, &str)]) {
    let mut failures = String::new();
    for (response, expected) in cases {
        let said = said(response, rule);
        if said != *expected {
            writeln!(failures, "{response:?}\n    expected {expected}\n    found    {said}").unwrap();
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn the_last_box_is_the_answer() {
    check(
        Rule::Any,
        &[
            (r"So $x = \boxed{7}$.", "Box: 7"),
            (r"\boxed 7", "Box: 7"),
            (r"Thus $x = \boxed 72$.", "Box: 72"),
            (r"\boxed \frac{1 + x}{2}, as shown", r"Box: \frac{1 + x}{2}"),
            (r"\(\boxed5\)", "Box: 5"),
            (r"\boxed x\}y z", r"Box: x\}y"),
            (r"\[ \boxed-3\] and so on", "Box: -3"),
            (r"\boxed  {  7 }", "Box: 7"),
            ("\\boxed\n{7}", "Box: 7"),
            (r"\fbox{7}", "Box: 7"),
            (r"\framebox{7}", "Box: 7"),
            (r"\framebox[2cm][c]{7}", "Box: 7"),
            (r"\boxed{\frac{1}{2}}", r"Box: \frac{1}{2}"),
            (r"\boxed{\left\{ 1, 2 \right\}}", r"Box: \left\{ 1, 2 \right\}"),
            (r"\boxed{\{ x : x > 0 \}} where \{ opens a set", r"Box: \{ x : x > 0 \}"),
            (r"\boxed{\left\{ x \right.}", r"Box: \left\{ x \right."),
            (r"\boxed{a \\ b}", r"Box: a \\ b"),
            (r"an escaped \\boxed{7}", "Box: 7"),
            (r"First \boxed{1}. No: \boxed{2}.", "Box: 2"),
            (r"The answer is 5. \boxed{6} The answer is 7.", "Box: 6"),
            (r"\boxed{\boxed{5}}", "Box: 5"),
            (r"a } stray brace and { another: \boxed{5}", "Box: 5"),
            (r"Write it \boxed so. The answer is 5.", "Phrase: 5"),
            (r"Use \boxed. The answer is 5.", "Phrase: 5"),
            ("Use `\\boxed`. The answer is 5.", "Phrase: 5"),
            (r"\boxes{3} The answer is 5.", "Phrase: 5"),
        ],
    );
}

#[test]
fn boxes_joined_by_separators_are_a_list() {
    check(
        Rule::Boxed,
        &[
            (r"$\boxed{1}$ or $\boxed{2}$", "Box: 1, 2"),
            (r"$\boxed{1},\ \boxed{2} \text{ and } \boxed{3}$.", "Box: 1, 2, 3"),
            (r"\(\boxed{1}\); \(\boxed{2}\)", "Box: 1, 2"),
            (r"First \boxed{9}. Then \boxed{1}, and \boxed{2}.", "Box: 1, 2"),
            (r"\boxed 1, \boxed 2", "Box: 1, 2"),
            (r"\boxed{100000} or \boxed{2}", "Box: 100000, 2"),
            (r"\boxed{}, \boxed{2}", "Box: 2"),
            (r"\boxed{\boxed{3}, \boxed{4}}", "Box: 3, 4"),
            // Space alone does not join: the second may correct the first.
            ("$\\boxed{1}$\n\n$\\boxed{2}$", "Box: 2"),
            (r"\boxed{1}. \boxed{2}", "Box: 2"),
            (r"\boxed{1} + \boxed{2}", "Box: 2"),
            (r"\boxed{1} orders \boxed{2}", "Box: 2"),
            (r"$x = \boxed{1}, y = \boxed{2}$", "Box: 2"),
            (r"\boxed{1} or rather \boxed{2}", "Box: 2"),
        ],
    );
}

#[test]
fn a_box_that_is_open_or_empty_has_its_reason() {
    for rule in [Rule::Any, Rule::Boxed, Rule::Choice] {
        check(
            rule,
            &[
                (r"\boxed{1} and then \boxed{2", "OpenBox"),
                (r"\boxed{\frac{1}{2}", "OpenBox"),
                (r"\boxed{1\}", "OpenBox"),
                (r"The answer is 5: \boxed", "OpenBox"),
                (r"\boxed \frac{1}{2", "OpenBox"),
                (r"\boxed{}", "EmptyBox"),
                (r"\boxed{1} \boxed{ }", "EmptyBox"),
                (r"\boxed{B never closed \boxed{C}", "Box: C"),
            ],
        );
    }
    check(Rule::Boxed, &[("The answer is 5.", "NoAnswer"), ("", "NoAnswer"), ("#### 5", "NoAnswer")]);
}

#[test]
fn what_follows_a_phrase_is_the_answer() {
    check(
        Rule::Any,
        &[
            ("The answer is 5.", "Phrase: 5"),
            ("The final answer is: 3.14. I checked it on 2 examples.", "Phrase: 3.14"),
            ("the answer is 5", "Phrase: 5"),
            ("Answer: 5", "Phrase: 5"),
            ("**Answer:** 5", "Phrase: 5"),
            ("**Answer**: 5 cm", "Phrase: 5 cm"),
            ("**Final Answer**: \\frac{1}{2}", r"Phrase: \frac{1}{2}"),
            ("**Answer: 5**", "Phrase: 5"),
            ("ANSWER: 1,234", "Phrase: 1,234"),
            ("The answer is **5.**", "Phrase: 5"),
            ("(So the answer is 5.)", "Phrase: 5"),
            ("(so the answer is 5)", "Phrase: 5"),
            ("(So the answer is 5.) It is odd.", "Phrase: 5"),
            ("The answer is 5. We had $n = 2$.", "Phrase: 5"),
            ("The answer is 24 square feet per whole day.", "Phrase: 24 square feet per whole day"),
            (
                r"The answer is \frac{\pi}{2} \cdot \sin \alpha \cdot \cos \beta.",
                r"Phrase: \frac{\pi}{2} \cdot \sin \alpha \cdot \cos \beta",
            ),
            ("The answer is [0, 5).", "Phrase: [0, 5)"),
            ("The answer is therefore 5.", "Phrase: 5"),
            ("The answer is, thus, approximately 5.2.", "Phrase: 5.2"),
            ("The answer to part (b) of problem 3 is 5.", "Phrase: 5"),
            ("The answer should be 5.", "Phrase: 5"),
            ("The answers are 3 and 5.", "Phrase: 3 and 5"),
            ("The correct option is (B).", "Phrase: (B)"),
            ("The correct choice: (B) 12", "Phrase: (B) 12"),
            ("The answer is option B.", "Phrase: B"),
            ("The answer is x = 5, because 2 + 3 = 5.", "Phrase: x = 5"),
            ("The answer is 5 (since 2 + 3 = 5).", "Phrase: 5"),
            ("The answer is 10, not 5.", "Phrase: 10"),
            ("The answer is Tuesday.", "Phrase: Tuesday"),
            ("The answer is 4. Hmm. The answer is 5.\nThere are 7 days.", "Phrase: 5"),
            ("The answer is 5. This answer is correct.", "Phrase: 5"),
            ("The answer is 5. Let me see if the answer is 6.", "Phrase: 5"),
            ("The answer is 5. What is the answer? Is it 6?", "Phrase: 5"),
            ("The answer is \\$5.", r"Phrase: \$5"),
            ("The answer is $5.", "Phrase: $5"),
            ("#### 72", "Hashes: 72"),
            ("She has 5.\n#### 1,234\n", "Hashes: 1,234"),
            ("#### $x^2$", "Hashes: x^2"),
        ],
    );
}

#[test]
fn a_formula_after_a_phrase_is_taken_whole() {
    check(
        Rule::Any,
        &[
            ("The answer is $5$ because $2 + 3 = 5$.", "Phrase: 5"),
            (r"The answer is \(x = 5. \) It is.", "Phrase: x = 5"),
            ("The answer is:\n\n$$x = 3$$\n\nDone.", "Phrase: x = 3"),
            ("The answer is:\n\\[\nx = 3.5,\n\\]", "Phrase: x = 3.5"),
            ("The answer is **$5$**.", "Phrase: 5"),
            ("The answer is $x = 3$ or $x = 4$.", "Phrase: x = 3, x = 4"),
            (r"Let $n = 1$. The answer is x = $\text{3. 4}$ exactly. Good.", r"Phrase: x = $\text{3. 4}$ exactly"),
            ("**Final Answer**\n\n$x = 3$", "Phrase: x = 3"),
            ("## Answer\n\n**12**\n", "Phrase: 12"),
            ("Final answer:\n\n- 12\n", "Phrase: 12"),
            ("Final answer: - 12\n", "Phrase: - 12"),
        ],
    );
}

#[test]
fn a_phrase_that_names_nothing_is_passed_over() {
    check(
        Rule::Any,
        &[
            ("The answer is not 5.", "NoAnswer"),
            ("The answer is 4. No, the answer isn't 4.", "NoAnswer"),
            ("The answer cannot be 5. So we have 6 left.", "Number: 6"),
            ("**Final Answer**\n\nThe total is 72 dollars.", "Number: 72"),
            ("The answer is obvious from the figure.", "NoAnswer"),
            ("It could be 1, 2 or 3", "Number: 3"),
            ("#### Step 3: add\n\nWe get 12.", "Number: 12"),
            ("The answer is the sum of all of the numbers we found: 12.", "Number: 12"),
            ("Answerable in 3 days", "Number: 3"),
            ("Reanswer: 5 of 6", "Number: 6"),
            ("Your option is 5 of 6", "Number: 6"),
            ("The answer x holds is 5 of 6", "Number: 6"),
        ],
    );
}

#[test]
fn else_the_last_formula_or_number_is_the_answer() {
    check(
        Rule::Any,
        &[
            ("We have $x = 2 + 3 = 5$.", "Formula: x = 2 + 3 = 5"),
            ("Of $3$ things, \\(a = \\frac{1}{2}\\) is good.", r"Formula: a = \frac{1}{2}"),
            ("Then $$y = 3$$", "Formula: y = 3"),
            ("Of $x + 1$ there are 5 in all", "Number: 5"),
            ("There are 5 of $x + 1$", "Formula: x + 1"),
            ("There are 5 values of $x$", "Number: 5"),
            ("It costs $5 or $6", "Number: 6"),
            ("It costs $5-$6", "Number: 6"),
            ("He lost -$1,234.50 that day", "Number: -$1,234.50"),
            ("from 3-5 people", "Number: 5"),
            ("It is -12", "Number: -12"),
            ("It is −12.", "Number: −12"),
            ("A part of 3/4.", "Number: 3/4"),
            ("Take 1 1/2 cups", "Number: 1 1/2"),
            ("That is 12.5% of all", "Number: 12.5%"),
            ("That is 12 % of all", "Number: 12 %"),
            (r"That is 12\% of all", r"Number: 12\%"),
            ("Take 1 11/12 cups", "Number: 1 11/12"),
            ("Take 1 12 cups", "Number: 12"),
            ("in lists such as 1,2,3", "Number: 3"),
            ("above .5 but x1 is no number", "Number: .5"),
            ("$a$$b + c$", "Formula: b + c"),
            ("Money $5 in one paragraph.\n\nThen $x + 1$.", "Formula: x + 1"),
            ("It costs $5 or $x + 1$ or so", "Formula: x + 1"),
            ("It costs $5-$6 for $x + y$ or so", "Formula: x + y"),
            ("It costs $5 ($x + 1$ later)", "Formula: x + 1"),
            ("It costs \\$5 and $x + \\$$ or so", r"Formula: x + \$"),
            ("Loose $ x + 1 $ delimiters", "Formula: x + 1"),
            ("Open \\(\nstill open\n \nThen $x + y$.", "Formula: x + y"),
            ("Two lines: \\(x\n+ y\\)", "Formula: x\n+ y"),
            (r"\[ a \\[2pt] b \]", r"Formula: a \\[2pt] b"),
            ("An open \\( in one paragraph.\n\nThen \\(x + 1\\).", "Formula: x + 1"),
            (r"\[ x \text{ if $y$ } \]", r"Formula: x \text{ if $y$ }"),
            ("No answer here", "NoAnswer"),
            ("", "NoAnswer"),
        ],
    );
}

#[test]
fn hashes_take_the_rest_of_their_line() {
    check(
        Rule::Hashes,
        &[
            ("She has 5.\n#### 72\n", "Hashes: 72"),
            ("#### 1\n#### 2 dogs\nmore", "Hashes: 2 dogs"),
            ("####  **-1,234**.", "Hashes: -1,234"),
            ("#### ", "NoAnswer"),
            (r"\boxed{5}", "NoAnswer"),
        ],
    );
}

#[test]
fn a_choice_is_a_letter() {
    check(
        Rule::Choice,
        &[
            (r"\boxed{B}", "Box: B"),
            (r"\boxed{\text{(c)}}", "Box: c"),
            (r"\boxed{\textbf{(B) } 12}", "Box: B"),
            (r"\boxed{B. 12}", "Box: B"),
            (r"\boxed{d}", "Box: d"),
            (r"\boxed{12}. The answer is (B).", "Phrase: B"),
            (r"\boxed{A = 5}. The answer is (B).", "Phrase: B"),
            (r"\boxed{A, C}", "NoAnswer"),
            (r"\boxed{B, see above}", "Box: B"),
            (r"\boxed{B, x}", "Box: B"),
            (r"\boxed{A + B}", "NoAnswer"),
            ("(a) but not (b or c)", "Letter: a"),
            ("We take **B** as it is", "Letter: B"),
            ("We take *B as it is", "NoAnswer"),
            (r"\boxed{A} and \boxed{C}", "NoAnswer"),
            (r"(A) is right: \boxed{AC}", "NoAnswer"),
            ("The correct option is **B**.", "Phrase: B"),
            ("Answer: B", "Phrase: B"),
            ("Answer: (b)", "Phrase: b"),
            ("Answer: $\\text{B}$", "Phrase: B"),
            ("The answer is B because A is wrong.", "Phrase: B"),
            ("The answers are B and C.", "NoAnswer"),
            ("It is not (A), so it is (B) as we saw in A", "Letter: A"),
            ("It is not (A), so it is (b) and no other", "Letter: b"),
            ("B. 12 cm", "Letter: B"),
            ("**J**", "Letter: J"),
            ("B", "Letter: B"),
            ("b", "NoAnswer"),
            ("K", "NoAnswer"),
            ("A dog is in the U.S. today", "NoAnswer"),
        ],
    );
}

#[test]
fn thoughts_hold_no_answer() {
    for rule in [Rule::Any, Rule::Boxed, Rule::Choice] {
        check(
            rule,
            &[
                (r"<think>\boxed{A}</think>\boxed{B}", "Box: B"),
                (r"\boxed{A}</think> so \boxed{B}", "Box: B"),
                (r"<think>\boxed{A}</think>", "NoAnswer"),
                (r"<think>\boxed{A} is wrong", "OpenThought"),
                (r"<think>1</think> \boxed{A} <think> but \boxed{B}", "OpenThought"),
            ],
        );
    }
    check(Rule::Hashes, &[("<think>\n#### 1\n</think>\n#### 2", "Hashes: 2"), ("<think>\n#### 1", "OpenThought")]);
}

#[test]
fn reasons_are_said_in_words() {
    let reasons = [Missing::NoAnswer, Missing::OpenBox, Missing::EmptyBox, Missing::OpenThought];
    for (missing, words) in reasons.into_iter().zip(["names no answer", "inside its last box", "empty", "thoughts"]) {
        assert!(missing.to_string().contains(words), "{missing:?}: {missing}");
    }
}
