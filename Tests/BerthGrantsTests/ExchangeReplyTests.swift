// The answer of an exchange on its way over the disk: read as versions before wrote it, and never larger than the room made for it.

import BerthModel
import BerthSeams
import Foundation
import Testing

@testable import BerthGrants

@Suite struct ExchangeReplyTests {
    // Without this an update between a token request and its storing loses the grant.
    @Test func anAnswerOfAVersionBeforeIsRead() throws {
        let old = #"{"status":200,"headers":["date","today"],"body":[123,34,97,34,125],"basis":[1,2]}"#
        let reply = try JSONDecoder().decode(ExchangeReply.self, from: Data(old.utf8))
        #expect(reply.status == 200 && reply.headers == ["date", "today"] && reply.body == Array(#"{"a"}"#.utf8) && reply.basis == [1, 2])
    }

    // Without this the largest answers find no room on a full disk, though the request was sent.
    @Test func theLargestAnswerFitsItsRoom() throws {
        let headers = [(name: "link", value: String(repeating: "\"/\\", count: 64 << 10))]
        let response = ProviderResponse(status: 200, headers: headers, body: Array(repeating: 255, count: 1 << 20))
        let key = [UInt8](repeating: 7, count: 32)
        let sealed = try ExchangeReply(.success(response), basis: [1]).sealed(with: key, connection: "con")
        #expect(sealed.count <= ExchangeFiles.roomBytes)
        let read = ExchangeReply(sealed: sealed, key: key, connection: "con")
        #expect(read?.body.count == 1 << 20 && read?.response.headers.first?.value == headers[0].value)
        #expect(ExchangeReply(sealed: sealed, key: key, connection: "another") == nil)
    }
}
