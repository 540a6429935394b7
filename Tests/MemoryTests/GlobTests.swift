// SPDX-License-Identifier: BSD-3-Clause
//
// Globs: a table that KEYS of redis-server 7.0.15 answered, and patterns made to be slow.

import Memory
import Testing

struct GlobTests {
    static let answers: [(String, String, Bool)] = [
        ("**", "", false),
        ("*", "", true),
        ("", "", true),
        ("?", "", false),
        ("[", "", false),
        ("a[", "", false),
        ("*^a", "", false),
        ("\\b]ca\\?", "", false),
        ("^", "aba", false),
        ("^acb?", "^]a]]", false),
        ("a?a\\", "c", false),
        ("*\\bc", "]-", false),
        ("*bcc?]", "", false),
        ("bcac?", "^][", false),
        ("]-c-][?", "^", false),
        ("?bc[\\-]", "[c]aa", false),
        ("^*]*-", "a^a", false),
        ("\\c]]]c-", "-[a-", false),
        ("[", "^^a", false),
        ("[", "]^-[c", false),
        ("^]a-]*", "a[ab", false),
        ("[*?^^-b", "[", false),
        ("\\[*^", "c^[c", false),
        ("^?*b**", "^", false),
        ("a-", "bcca", false),
        ("^\\", "]]", false),
        ("*\\c", "^^a[-", false),
        ("\\^^^^b-", "[abab", false),
        ("*b]c", "", false),
        ("a", "b]ac", false),
        ("ab?c^", "^", false),
        ("]c]", "aa-", false),
        ("---[", "", false),
        ("b]", "c[-^b", false),
        ("a?\\]*", "]a-]c", false),
        ("b[\\]*]", "]", false),
        ("\\]?c?", "-", false),
        ("??\\-", "^a", false),
        ("[", "cb^", false),
        ("]-]]b", "a", false),
        ("-?", "b[", false),
        ("ca-]b", "a[-^-", false),
        ("-*", "-^c", true),
        ("^", "[^a", false),
        ("***a*c", "-^b", false),
        ("c-]*\\", "baa-", false),
        ("b\\*^??", "", false),
        ("?[\\", "-", false),
        ("][\\^*", "", false),
        ("]-c\\^\\", "]", false),
        ("\\\\", "", false),
        ("-*ca***", "]^a", false),
        ("a]\\\\\\", "--a", false),
        ("a??[a", "", false),
        ("-\\ab-", "]]", false),
        ("\\?[-\\", "-[]b", false),
        ("\\[\\?-*", "a[[", false),
        ("b?^", "", false),
        ("[b", "^", false),
        ("]*[*-?", "a[[b^", false),
        ("?*^\\^]^", "c", false),
        ("b]a", "][", false),
        ("a^]\\", "c]aa", false),
        ("?bb[[a*", "-b", false),
        ("^[^*\\\\c", "^ca", false),
        ("a*^", "", false),
        ("ab[", "", false),
        ("?[b-a", "[a", true),
        ("]*c", "]ca^c", true),
        ("*-", "--", true),
        ("c", "c", true),
        ("[^[", "a", true),
        ("*a", "ca", true),
        ("*", "-a", true),
        ("???a*", "-bca", true),
        ("?", "^", true),
        ("**[^[b", "cc]]", true),
        ("*", "cb^ab", true),
        ("*", "b", true),
        ("*", "c]ca", true),
        ("^", "^", true),
        ("[-^*a*a", "-", true),
        ("*?", "-]]ba", true),
        ("?", "^", true),
        ("*", "", true),
        ("*[?b", "]a[-b", true),
        ("-", "-", true),
        ("[c--\\\\^", "c", true),
        ("b", "b", true),
        ("?", "b", true),
        ("?*", "c][", true),
        ("*?", "--b", true),
        ("*", "^a-^", true),
        ("*", "b^][c", true),
        ("[?*-", "-", true),
        ("*", "aa]b", true),
        ("*", "b]b", true),
        ("?", "c", true),
        ("*", "^^]", true),
        ("*?", "b", true),
        ("-*", "-cca", true),
        ("*-*", "-", true),
        ("\\c*", "cc]^", true),
        ("*", "-[-cc", true),
        ("*", "-c^ac", true),
        ("?*", "[", true),
        ("?", "a", true),
        ("-*[[bc", "-^[[", true),
        ("?[-b*c[", "--", true),
        ("?[a^]", "]a", true),
        ("*", "]-", true),
        ("?", "]", true),
        ("*", "a", true),
        ("*[c]", "c]b-c", true),
        ("***", "a--a^", true),
        ("*", "", true),
        ("*", "b[-", true),
        ("*", "--^[b", true),
        ("*", "", true),
        ("*", "a", true),
        ("[^?", "c", true),
        ("**", "-b-][", true),
        ("??*", "[-ba", true),
        ("*", "^-", true),
        ("*", "a^]", true),
        ("*", "ab", true),
    ]

    @Test(arguments: answers)
    func matchesAsRedisDoes(pattern: String, text: String, expected: Bool) {
        #expect(glob(pattern, text) == expected)
    }

    @Test(arguments: [
        ("MaxMemory*", "maxmemory-policy", true), ("[A-C]x", "bX", true), ("[^a]", "A", false),
        ("\\A", "a", true), ("[\\A]", "a", false),
    ])
    func ignoresCaseWhenAsked(pattern: String, text: String, expected: Bool) {
        #expect(glob(pattern, text, ignoringCase: true) == expected)
    }

    @Test func manyStarsAreNotSlow() {
        let pattern = String(repeating: "a*", count: 200) + "b"
        #expect(!glob(pattern, String(repeating: "a", count: 5000)))
    }

    private func glob(_ pattern: String, _ text: String, ignoringCase: Bool = false) -> Bool {
        Bytes.with(pattern) { p in
            Bytes.with(text) { Glob.matches(p, $0, ignoringCase: ignoringCase) }
        }
    }
}
