// What a plugin's schema says of an action's input is found out before the plugin is asked.

import BerthModel
import Testing

@Suite struct JSONSchemaTests {
    private func value(_ text: String) throws -> JSONValue { try #require(JSONValue(text: Array(text.utf8)), "\(text)") }

    @Test(arguments: [
        (#"{"type":"object"}"#, "5", "the input: must be an object, not a number"),
        (#"{"type":"object","required":["a"]}"#, "{}", "a: is required"),
        (#"{"properties":{"a":{"type":"string"}}}"#, #"{"a":5}"#, "a: must be a string, not a number"),
        (#"{"properties":{"a":{"type":"string"}}}"#, #"{"a":null}"#, "a: must be a string, not null"),
        (#"{"properties":{"a":{"type":["string","integer"]}}}"#, #"{"a":1.5}"#, "a: must be a string or an integer, not a number"),
        (#"{"properties":{"a":{"properties":{"b":{"type":"boolean"}}}}}"#, #"{"a":{"b":1}}"#, "a.b: must be a boolean, not a number"),
        (#"{"properties":{"a":{"minLength":1}}}"#, #"{"a":""}"#, "a: must not be empty"),
        (#"{"properties":{"a":{"maxLength":2}}}"#, #"{"a":"abc"}"#, "a: must have at most 2 characters"),
        (#"{"properties":{"a":{"minimum":1}}}"#, #"{"a":0}"#, "a: must be at least 1"),
        (#"{"properties":{"a":{"maximum":1.5}}}"#, #"{"a":2}"#, "a: must be at most 1.5"),
        (#"{"properties":{"a":{"enum":["x","y"]}}}"#, #"{"a":"z"}"#, #"a: must be one of "x", "y""#),
        (#"{"properties":{"a":{"const":1}}}"#, #"{"a":2}"#, "a: must be 1"),
        (#"{"properties":{"a":{"items":{"type":"string"}}}}"#, #"{"a":["x",2]}"#, "a[1]: must be a string, not a number"),
        (#"{"properties":{"a":{"minItems":1}}}"#, #"{"a":[]}"#, "a: must have at least 1 elements"),
        (#"{"properties":{"a":{"maxItems":1}}}"#, #"{"a":[1,2]}"#, "a: must have at most 1 elements"),
        (
            #"{"properties":{"country":{}},"additionalProperties":false}"#, #"{"contry":1}"#,
            "contry: is not known here; did you mean 'country'?"
        ),
        (#"{"properties":{"a":{}},"additionalProperties":{"type":"string"}}"#, #"{"b":1}"#, "b: must be a string, not a number"),
        (#"{"properties":{"a":false}}"#, #"{"a":1}"#, "a: is not known here"),
    ])
    func whatDoesNotFitIsNamed(_ schema: String, _ input: String, _ problem: String) throws {
        // Would break: a number is bought though the country was none, or the plugin is blamed for what a person typed.
        #expect(try JSONSchema(value(schema)).problems(in: value(input)) == [problem])
    }

    @Test(arguments: [
        (#"{"type":"object"}"#, #"{"any":[1,{}]}"#), ("{}", "5"), ("true", "null"),
        (#"{"properties":{"a":{"type":"integer"}}}"#, #"{"a":1.0}"#),
        (#"{"properties":{"a":{"type":"number","minimum":0,"maximum":9}}}"#, #"{"a":9}"#),
        (#"{"properties":{"a":{"const":1,"enum":[1]}}}"#, #"{"a":1.0}"#),
        (#"{"properties":{"a":{"minLength":1,"minimum":5,"maxItems":0}}}"#, #"{"a":"ü"}"#),
        (#"{"required":["a"],"properties":{"a":{"type":["string","null"]}}}"#, #"{"a":null}"#),
        (#"{"pattern":"^x$","format":"uuid","oneOf":5,"$comment":"unknown words allow everything"}"#, #""y""#),
    ])
    func whatFitsPasses(_ schema: String, _ input: String) throws {
        // Would break: an input that the plugin takes is refused before it.
        #expect(try JSONSchema(value(schema)).problems(in: value(input)) == [])
    }

    @Test(arguments: [
        (#"{"type":"strin"}"#, "type: "), (#"{"properties":{"a":{"type":5}}}"#, "properties.a.type: 5"), ("5", "a schema is an object"),
        (#"{"required":true}"#, "required: "), (#"{"properties":[]}"#, "properties: "), (#"{"enum":"x"}"#, "enum: "),
        (#"{"minLength":-1}"#, "minLength: -1"), (#"{"maximum":"9"}"#, "maximum: "), (#"{"items":{"items":1}}"#, "items.items: "),
    ])
    func aSchemaThatIsNoneIsRefused(_ schema: String, _ message: String) throws {
        // Would break: a misspelt type is found out by the first person who performs the action.
        do {
            _ = try JSONSchema(value(schema))
            Issue.record("\(schema) was taken")
        } catch let error as BerthError { #expect(error.message.hasPrefix(message), "\(error.message)") }
    }
}
