// The OpenAPI 3.1 document, made of the route table.

public import BerthModel

/// Describes the control API.
public enum OpenAPIDocument {
    /// The whole document.
    public static func make(version: String) -> JSONValue {
        var paths: [String: JSONValue] = [:]
        for route in Route.all {
            var path = paths[route.path]?.objectValue ?? [:]
            path[route.method.lowercased()] = operation(route)
            paths[route.path] = .object(path)
        }
        return .object([
            "openapi": "3.1.0",
            "info": .object([
                "title": "Berth control API", "version": .string(version),
                "description": "HTTP/1.1 and JSON on a Unix domain socket. Peer credentials decide what a caller may do.",
            ]),
            "servers": .array([.object(["url": "http://berth"])]),
            "paths": .object(paths),
            "components": .object(["schemas": .object(SchemaCatalog.schemas)]),
        ])
    }

    private static func operation(_ route: Route) -> JSONValue {
        var parameters: [JSONValue] = route.path.split(separator: "/").filter { $0.hasPrefix("{") }.map { part in
            .object([
                "name": .string(String(part.dropFirst().dropLast())), "in": "path", "required": .bool(true),
                "schema": .object(["type": "string"]),
            ])
        }
        for (name, help) in route.query {
            parameters.append(
                .object(["name": .string(name), "in": "query", "description": .string(help), "schema": .object(["type": "string"])]))
        }
        var operation: [String: JSONValue] = [
            "operationId": .string(route.operation.rawValue), "summary": .string(route.summary),
            "x-permission": .string("\(route.permission)"), "responses": responses(route),
        ]
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        if let request = route.request {
            operation["requestBody"] = .object(["content": .object(["application/json": .object(["schema": reference(request)])])])
        }
        return .object(operation)
    }

    private static func responses(_ route: Route) -> JSONValue {
        let status =
            route.operation == .createConnection || route.operation == .installPlugin
            ? "201" : route.operation == .syncStream ? "202" : "200"
        let problem: JSONValue = .object([
            "description": "What went wrong, with code and hint",
            "content": .object(["application/problem+json": .object(["schema": reference("Problem")])]),
        ])
        let content: JSONValue =
            switch route.response {
            case "empty": .object(["description": "Done"])
            case "text":
                .object(["description": "Text", "content": .object(["text/plain": .object(["schema": .object(["type": "string"])])])])
            case "stream":
                .object([
                    "description": "Events", "content": .object(["text/event-stream": .object(["schema": .object(["type": "string"])])]),
                ])
            default:
                .object([
                    "description": "The answer", "content": .object(["application/json": .object(["schema": reference(route.response)])]),
                ])
            }
        var responses = [route.response == "empty" ? "204" : status: content, "default": problem]
        if route.operation == .removeConnection { responses["204"] = .object(["description": "Done"]) }
        return .object(responses)
    }

    private static func reference(_ name: String) -> JSONValue {
        name == "object" ? .object(["type": "object"]) : .object(["$ref": .string("#/components/schemas/\(name)")])
    }
}

extension JSONValue: ExpressibleByStringLiteral {
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
}
