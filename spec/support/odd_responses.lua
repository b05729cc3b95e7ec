-- Responses as servers, proxies and attackers may send them, byte by byte: what a client makes of each is in
-- spec/transport/odd_responses_spec.lua. The fake API sends them (fake/wire.lua).
local odd = {}

local BODY = '{"ok":true}'
local LENGTH = "Content-Length: " .. #BODY .. "\r\n"
local CHUNKED = "Transfer-Encoding: chunked\r\n"
local OK = "HTTP/1.1 200 OK\r\n"

local function sized(lines)
  return OK .. lines .. LENGTH .. "\r\n" .. BODY
end

local function chunked(body, lines)
  return OK .. (lines or "") .. CHUNKED .. "\r\n" .. body
end

local function status(line)
  return line .. "\r\n" .. LENGTH .. "\r\n" .. BODY
end

---What a client is to make of it -> name -> bytes; the connection is closed behind them. "good" and "bodiless" are responses, the
---others kinds of errors.
odd.responses = {
  -- a response, with BODY
  good = {
    plain = sized "",
    no_reason = status "HTTP/1.1 200",
    empty_reason = status "HTTP/1.1 200 ",
    odd_reason = status "HTTP/1.1 200 \195\169\\<>",
    http_1_0 = status "HTTP/1.0 200 OK",
    until_close = OK .. "\r\n" .. BODY,
    bare_line_feeds = ("HTTP/1.1 200 OK\n" .. LENGTH .. "\n"):gsub("\r", "") .. BODY,
    chunks = chunked(("5\r\n%s\r\n6\r\n%s\r\n0\r\n\r\n"):format(BODY:sub(1, 5), BODY:sub(6))),
    chunk_extension = chunked(("b;name=value\r\n%s\r\n0;last\r\n\r\n"):format(BODY)),
    chunk_quoted_extension = chunked(('b; a="x y"\r\n%s\r\n0\r\n\r\n'):format(BODY)),
    chunk_upper_case = chunked(("B\r\n%s\r\n0\r\n\r\n"):format(BODY)),
    chunk_zeros = chunked(("00000b\r\n%s\r\n000\r\n\r\n"):format(BODY)),
    chunk_many_zeros = chunked(("0000000000000b\r\n%s\r\n0\r\n\r\n"):format(BODY)),
    chunk_trailer_like_status = chunked(("b\r\n%s\r\n0\r\nHTTP/1.1 500: x\r\nX-More: 2\r\n\r\n"):format(BODY)),
    chunk_trailer_length = chunked(("b\r\n%s\r\n0\r\nContent-Length: x\r\n\r\n"):format(BODY)),
    chunk_trailers = chunked(("b\r\n%s\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"):format(BODY)),
    chunk_line_feeds = chunked(("b\n%s\n0\n\n"):format(BODY)),
    chunked_upper_case = OK .. "TRANSFER-ENCODING: Chunked\r\n\r\nb\r\n" .. BODY .. "\r\n0\r\n\r\n",
    chunked_and_length = OK .. "Content-Length: 4\r\n" .. CHUNKED .. "\r\nb\r\n" .. BODY .. "\r\n0\r\n\r\n",
    chunked_in_1_0 = "HTTP/1.0 200 OK\r\n" .. CHUNKED .. "\r\nb\r\n" .. BODY .. "\r\n0\r\n\r\n",
    early_hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" .. sized "",
    continue = "HTTP/1.1 100 Continue\r\n\r\n" .. sized "",
    many_interim = ("HTTP/1.1 102 Processing\r\n\r\n"):rep(20) .. sized "",
    interim_with_coding = "HTTP/1.1 103 Early Hints\r\n" .. CHUNKED .. "\r\n" .. sized "",
    interim_with_length = "HTTP/1.1 103 Early Hints\r\n" .. LENGTH .. "\r\n" .. sized "",
    same_length_twice = OK .. LENGTH .. LENGTH .. "\r\n" .. BODY,
    same_length_with_zeros = OK .. LENGTH .. "Content-Length: 011\r\n\r\n" .. BODY,
    length_zeros = OK .. "Content-Length: 00011\r\n\r\n" .. BODY,
    header_without_value = sized "X-Empty:\r\n",
    header_without_blank = sized "X-Tight:1\r\n",
    header_blank_before_colon = sized "X-Blank : 1\r\n",
    header_latin = sized "X-Latin: \233\r\n",
    header_tabs = sized "X-Tab:\t1\t\r\n",
    folded = sized "X-Folded: a\r\n b\r\n\tc\r\n",
    more_than_its_length = sized "" .. "more",
    status_999 = status "HTTP/1.1 999 High",
    status_600 = status "HTTP/1.1 600 High",
    bare_cr_in_header = sized "X-Cr: a\rb\r\n",
    identity_until_close = OK .. "Transfer-Encoding: identity\r\n\r\n" .. BODY,
    length_many_zeros = OK .. "Content-Length: 0000000000000011\r\n\r\n" .. BODY,
    chunked_twice = OK .. CHUNKED .. CHUNKED .. "\r\nb\r\n" .. BODY .. "\r\n0\r\n\r\n",
    chunk_trailing_blank = chunked("b \r\n" .. BODY .. "\r\n0\r\n\r\n"),
  },
  -- a response without a body
  bodiless = {
    no_content = "HTTP/1.1 204 No Content\r\n\r\n",
    no_content_with_length = "HTTP/1.1 204 No Content\r\n" .. LENGTH .. "\r\n",
    empty = OK .. "Content-Length: 0\r\n\r\n",
    empty_chunks = chunked "0\r\n\r\n",
    not_modified = "HTTP/1.1 304 Not Modified\r\n" .. LENGTH .. "\r\n",
  },
  -- none: asking again would not help
  protocol = {
    length_plus = OK .. "Content-Length: +11\r\n\r\n" .. BODY,
    length_list = OK .. "Content-Length: 11, 11\r\n\r\n" .. BODY,
    length_blank = OK .. "Content-Length:\r\n\r\n" .. BODY,
    length_word = OK .. "Content-Length: 11x\r\n\r\n" .. BODY,
    length_carriage_return = OK .. "Content-Length: 11\r\r\n\r\n" .. BODY,
    length_blank_before_colon = OK .. "Content-Length : 4\r\n\r\n" .. BODY,
    length_folded = OK .. "Content-Length: 1\r\n 1\r\n\r\n" .. BODY,
    length_folded_blank = OK .. "Content-Length: 11\r\n \r\n\r\n" .. BODY,
    length_cut_behind = OK .. "Content-Length: x\r\nX-",
    length_of_interim = "HTTP/1.1 103 Early Hints\r\nContent-Length: -4\r\n\r\n" .. sized "",
    coding_and_length = OK .. "Transfer-Encoding: identity\r\n" .. LENGTH .. "\r\n" .. BODY,
    coding_and_length_cut = OK .. LENGTH .. "Transfer-Encoding: identity\r\n\r\n" .. BODY:sub(1, 5),
    coding_empty_and_length = OK .. "Transfer-Encoding:\r\n" .. LENGTH .. "\r\n" .. BODY,
    coding_blank_before_colon = OK .. "Transfer-Encoding : chunked\r\n\r\nb\r\n" .. BODY .. "\r\n0\r\n\r\n",
    coding_folded = OK .. "Transfer-Encoding:\r\n chunked\r\n\r\nb\r\n" .. BODY .. "\r\n0\r\n\r\n",
    coding_behind_control = OK .. "Transfer-Encoding: \vchunked\r\n\r\nb\r\n" .. BODY .. "\r\n0\r\n\r\n",
    coding_without_comma = OK .. "Transfer-Encoding: identity chunked\r\n\r\nb\r\n" .. BODY .. "\r\n0\r\n\r\n",
    banner_without_end = "SSH-2.0-OpenSSH_9.2p1",
    banner_behind_interim = "HTTP/1.1 103 Early Hints\r\n\r\nSSH-2.0-x\r\nX: y\r\n" .. LENGTH .. "\r\n" .. BODY,
    lower_case_behind_interim = "HTTP/1.1 103 Early Hints\r\n\r\n" .. status "http/1.1 200 OK",
    reason_behind_dash = "HTTP/1.1 103 Early Hints\r\n\r\n" .. status "HTTP/1.1 200-OK",
    nul_in_status = status "HTTP/1.1 200 O\0K",
    status_tab_behind = status "HTTP/1.1 200\t",
    status_carriage_return = status "HTTP/1.1 200\r",
    version_without_major = status "HTTP/.1 200 OK",
    carriage_return_first = sized "\rX-Cr: a\r\n",
    carriage_returns_alone = OK .. LENGTH .. "\r\r\n" .. BODY,
    carriage_return_in_name = sized "X-Cr\r: a\r\n",
    control_in_name = sized "X\v: a\r\n",
    banner = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n",
    banner_ftp = "220 ready\r\n",
    html = "<html>502</html>\n",
    blank_first = "\r\n" .. sized "",
    icy = status "ICY 200 OK",
    lower_case = status "http/1.1 200 OK",
    version_1_2 = status "HTTP/1.2 200 OK",
    version_3 = status "HTTP/3 200 OK",
    version_0_9 = status "HTTP/0.9 200 OK",
    version_none = status "HTTP/ 200 OK",
    version_word = status "HTTP/x.y 200 OK",
    status_099 = status "HTTP/1.1 099 Low",
    status_000 = status "HTTP/1.1 000 None",
    status_20 = status "HTTP/1.1 20 Short",
    status_2000 = status "HTTP/1.1 2000 Long",
    status_word = status "HTTP/1.1 abc Word",
    status_negative = status "HTTP/1.1 -20 Word",
    status_none = status "HTTP/1.1",
    status_tab = status "HTTP/1.1\t200 OK",
    status_two_blanks = status "HTTP/1.1  200 OK",
    switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" .. BODY,
    negative_length = OK .. "Content-Length: -5\r\n\r\n" .. BODY,
    two_lengths_none_first = OK .. "Content-Length: 0\r\n" .. LENGTH .. "\r\n" .. BODY,
    version_1_2_no_reason = status "HTTP/1.2 200",
    two_lengths = OK .. LENGTH .. "Content-Length: 5\r\n\r\n" .. BODY,
    huge_length = OK .. "Content-Length: 99999999999999999999999\r\n\r\n" .. BODY,
    folded_first = OK .. " folded: x\r\n" .. LENGTH .. "\r\n" .. BODY,
    no_colon = sized "X-None\r\n",
    name_with_blank = sized "X Name: 1\r\n",
    name_of_body = OK .. "Content-Encoding: identity\t\r\r\n" .. BODY .. "HTTP/1.1 200 OK\r\n" .. LENGTH .. "\r\n" .. BODY,
    no_name = sized ": x\r\n",
    nul_in_header = sized "X-Nul: a\0b\r\n",
    unknown_coding = OK .. "Transfer-Encoding: what\r\n\r\n" .. BODY,
    chunked_not_last = OK .. "Transfer-Encoding: chunked, what\r\n\r\nb\r\n" .. BODY .. "\r\n0\r\n\r\n",
    chunk_word_without_end = chunked "zz",
    chunk_end_without_end = chunked("b\r\n" .. BODY .. "x"),
    chunk_negative = chunked("-b\r\n" .. BODY .. "\r\n0\r\n\r\n"),
    chunk_prefix = chunked("0xb\r\n" .. BODY .. "\r\n0\r\n\r\n"),
    chunk_word = chunked("zz\r\n" .. BODY .. "\r\n0\r\n\r\n"),
    chunk_blank = chunked("\r\n" .. BODY .. "\r\n0\r\n\r\n"),
    chunk_too_long = chunked("b\r\n" .. BODY .. "more\r\n0\r\n\r\n"),
    chunk_huge = chunked("ffffffffffffffffff\r\n" .. BODY .. "\r\n0\r\n\r\n"),
    chunk_leading_blank = chunked(" b\r\n" .. BODY .. "\r\n0\r\n\r\n"),
    chunk_trailer_no_colon = chunked("b\r\n" .. BODY .. "\r\n0\r\nnothing\r\n\r\n"),
    long_line = sized("X-Long: " .. ("x"):rep(70000) .. "\r\n"),
    long_status = status("HTTP/1.1 200 " .. ("x"):rep(70000)),
    many_lines = sized(("X-Many: " .. ("x"):rep(90) .. "\r\n"):rep(800)),
    endless_interim = ("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"):rep(2000) .. sized "",
    long_trailer = chunked("b\r\n" .. BODY .. "\r\n0\r\nX-Long: " .. ("x"):rep(70000) .. "\r\n\r\n"),
  },
  -- cut: asking again may help
  network = {
    nothing = "",
    cut_in_status = "HTTP/1.1 2",
    cut_behind_status = "HTTP/1.1 200 OK\r\n",
    cut_in_header = "HTTP/1.1 200 OK\r\nContent-Le",
    cut_in_body = OK .. LENGTH .. "\r\n" .. BODY:sub(1, 5),
    cut_behind_interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    cut_in_chunk = chunked("b\r\n" .. BODY:sub(1, 5)),
    cut_in_chunk_size = chunked "b",
    cut_behind_chunk = chunked("b\r\n" .. BODY .. "\r\n"),
    cut_in_last_chunk = chunked("b\r\n" .. BODY .. "\r\n0\r\n"),
    cut_in_trailers = chunked("b\r\n" .. BODY .. "\r\n0\r\nX-Sum: 1\r\n"),
  },
  -- longer than the 10,000 bytes of a body that the spec allows
  too_large = {
    long_body = OK .. "Content-Length: 20000\r\n\r\n" .. (" "):rep(20000),
    long_chunks = chunked(("2710\r\n" .. (" "):rep(10000) .. "\r\n"):rep(2) .. "0\r\n\r\n"),
    long_until_close = OK .. "\r\n" .. (" "):rep(20000),
  },
  -- libcurl takes it for a response of HTTP/2, nginx's sockets for none
  good_over_libcurl_alone = {
    version_2 = status "HTTP/2 200",
    version_2_0 = status "HTTP/2.0 200 OK",
  },
}

---The body of those that have one.
odd.BODY = BODY

odd.bytes = {} -- by name alone
for _, group in pairs(odd.responses) do
  for name, bytes in pairs(group) do
    odd.bytes[name] = bytes
  end
end

return odd
