#pragma once
/// JSON: Json::parse (strict), JsonField (reading with errors that name file and key) and JsonWriter.
#include "couplet/io/json_events.hpp"
#include "couplet/io/json_field.hpp"
#include "couplet/io/json_value.hpp"
#include "couplet/io/json_writer.hpp"
#include "couplet/io/utf8.hpp"
