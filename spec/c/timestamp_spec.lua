-- core.timestamp: a date text to Unix seconds, or nil.
local core = require "cloud66.core"

describe("timestamp", function()
  local function check_all(cases)
    for i = 1, #cases do
      assert.are.same({ cases[i][1], cases[i][2] }, { cases[i][1], core.timestamp(cases[i][1]) })
    end
  end

  it("reads the forms the API sends", function()
    check_all {
      { "2014-08-29T17:46:16Z", 1409334376 },
      { "2014-08-29T17:58:23Z", 1409335103 },
      { "2014-08-14T01:46:53+00:00", 1407980813 },
      { "2014-08-14 00:38:14 UTC", 1407976694 },
      { "2024-02-15 14:30:00 UTC", 1708007400 },
      { "2024-02-15T14:30:00Z", 1708007400 },
    }
  end)

  it("reckons with the zone", function()
    check_all {
      { "2024-02-15T15:30:00+01:00", 1708007400 },
      { "2024-02-15T09:30:00-05:00", 1708007400 },
      { "2024-02-15T20:00:00+05:30", 1708007400 },
      { "2024-02-15T11:00:00-03:30", 1708007400 },
      { "2024-02-16T00:30:00+10:00", 1708007400 },
      { "2024-02-15T14:30:00-00:00", 1708007400 },
      { "2024-01-01T00:30:00+01:00", 1704065400 },
      { "2024-12-31T23:30:00-01:00", 1735691400 },
    }
  end)

  it("cuts a fraction off", function()
    check_all {
      { "2024-02-15T14:30:00.0Z", 1708007400 },
      { "2024-02-15T14:30:00.123Z", 1708007400 },
      { "2024-02-15T14:30:00.999999999Z", 1708007400 },
      { "2024-02-15T15:30:00.5+01:00", 1708007400 },
      { "2024-02-15 14:30:00.5 UTC", 1708007400 },
      { "1969-12-31T23:59:59.5Z", -1 },
    }
  end)

  it("takes a date without a zone for UTC", function()
    check_all {
      { "2024-02-15T14:30:00", 1708007400 },
      { "2024-02-15 14:30:00", 1708007400 },
      { "2024-02-15T14:30", 1708007400 },
      { "2024-02-15", 1707955200 },
      { "2024-01-01", 1704067200 },
    }
  end)

  it("knows the calendar", function()
    check_all {
      { "1970-01-01T00:00:00Z", 0 },
      { "1969-12-31T23:59:59Z", -1 },
      { "2000-02-29", 951782400 },
      { "2016-02-29T00:00:00Z", 1456704000 },
      { "2024-02-29T23:59:59Z", 1709251199 },
      { "2024-03-01T00:00:00Z", 1709251200 },
      { "2023-12-31T23:59:59Z", 1704067199 },
      { "2038-01-19T03:14:08Z", 2147483648 },
      { "2100-03-01", 4107542400 },
      { "9999-12-31T23:59:59Z", 253402300799 },
      { "0001-01-01T00:00:00Z", -62135596800 },
    }
  end)

  it("counts every day of four centuries once", function()
    local days = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
    local want = 946684800 -- 2000-01-01
    for year = 2000, 2399 do
      local leap = (year % 4 == 0 and year % 100 ~= 0) or year % 400 == 0
      for month = 1, 12 do
        local last = days[month] + (month == 2 and leap and 1 or 0)
        for _, day in ipairs { 1, last } do
          local text = ("%04d-%02d-%02d"):format(year, month, day)
          local seconds = core.timestamp(text)
          if seconds ~= want + (day - 1) * 86400 then
            assert.are.same({ text, want + (day - 1) * 86400 }, { text, seconds })
          end
        end
        assert.is_nil(core.timestamp(("%04d-%02d-%02d"):format(year, month, last + 1)))
        want = want + last * 86400
      end
    end
    assert.are.equal(want, core.timestamp "2400-01-01")
  end)

  it("counts a leap second as the second after it", function()
    check_all {
      { "2016-12-31T23:59:60Z", 1483228800 },
      { "2017-01-01T00:59:60+01:00", 1483228800 },
    }
  end)

  it("gives whole numbers", function()
    local seconds = core.timestamp "2024-02-15T14:30:00.5Z"
    assert.are.equal("1708007400", tostring(seconds))
  end)

  describe("gives nil for", function()
    local cases = {
      { "an empty text", "" },
      { "a word", "yesterday" },
      { "a year", "2024" },
      { "a month", "2024-02" },
      { "Unix seconds", "1708007400" },
      { "month 0", "2024-00-15" },
      { "month 13", "2024-13-15" },
      { "day 0", "2024-02-00" },
      { "day 32", "2024-01-32" },
      { "the 31st of April", "2024-04-31" },
      { "the 30th of February", "2024-02-30" },
      { "the 29th of February of an ordinary year", "2023-02-29" },
      { "the 29th of February of 1900", "1900-02-29" },
      { "hour 24", "2024-02-15T24:00:00Z" },
      { "hour 25", "2024-02-15T25:00:00Z" },
      { "minute 60", "2024-02-15T14:60:00Z" },
      { "second 61", "2024-02-15T14:30:61Z" },
      { "one digit for the month", "2024-2-15" },
      { "one digit for the hour", "2024-02-15T4:30:00Z" },
      { "five digits for the year", "12024-02-15" },
      { "a sign before the year", "-2024-02-15" },
      { "a sign in a number", "2024-+2-15" },
      { "a space in a number", "2024- 2-15" },
      { "slashes", "2024/02/15" },
      { "the day first", "15-02-2024" },
      { "a time alone", "14:30:00" },
      { "a T without a time", "2024-02-15T" },
      { "a space without a time", "2024-02-15 " },
      { "an hour alone", "2024-02-15T14" },
      { "a cut time", "2024-02-15T14:30:0" },
      { "a colon without seconds", "2024-02-15T14:30:" },
      { "a point without a fraction", "2024-02-15T14:30:00.Z" },
      { "a fraction without digits at the end", "2024-02-15T14:30:00." },
      { "a space at the end", "2024-02-15T14:30:00Z " },
      { "a space behind a time", "2024-02-15T14:30:00 " },
      { "a space at the start", " 2024-02-15T14:30:00Z" },
      { "a line break at the end", "2024-02-15T14:30:00Z\n" },
      { "a NUL at the end", "2024-02-15T14:30:00Z\0" },
      { "a NUL in the middle", "2024-02-15\0T14:30:00Z" },
      { "two zones", "2024-02-15T14:30:00ZZ" },
      { "a zone and an offset", "2024-02-15T14:30:00Z+01:00" },
      { "a zone behind a date alone", "2024-02-15Z" },
      { "a zone of no known meaning", "2024-02-15 14:30:00 PST" },
      { "a cut UTC", "2024-02-15 14:30:00 UT" },
      { "UTC and more", "2024-02-15 14:30:00 UTC+1" },
      { "an offset without digits", "2024-02-15T14:30:00+" },
      { "a cut offset", "2024-02-15T14:30:00+01:" },
      { "an offset of 24 hours", "2024-02-15T14:30:00+24:00" },
      { "an offset of 60 minutes", "2024-02-15T14:30:00+01:60" },
      { "digits behind an offset", "2024-02-15T14:30:00+01:000" },
      { "two separators", "2024-02-15  14:30:00" },
      { "another separator", "2024-02-15_14:30:00" },
      { "bytes that are no text", "\255\254\0\1" },
      { "full-width digits", "\239\188\146024-02-15" },
    }
    for i = 1, #cases do
      it(cases[i][1], function()
        assert.are.equal(1, select("#", core.timestamp(cases[i][2])))
        assert.is_nil((core.timestamp(cases[i][2])))
      end)
    end

    it("every beginning that is no date itself", function()
      local text = "2024-02-15T14:30:00.123+01:00"
      local dates = { [10] = 1707955200, [29] = 1708003800 }
      for _, length in ipairs { 16, 19, 21, 22, 23 } do
        dates[length] = 1708007400
      end
      for length = 0, #text do
        -- an offset of hours alone may be read or not
        if length ~= 26 then
          assert.are.same({ length, dates[length] }, { length, core.timestamp(text:sub(1, length)) })
        end
      end
    end)
  end)

  it("raises on what is no text", function()
    for _, value in ipairs { {}, true, print, io.stdout } do
      assert.is_false((pcall(core.timestamp, value)))
    end
    assert.is_false((pcall(core.timestamp)))
    assert.is_false((pcall(core.timestamp, nil)))
  end)
end)
