package tidemill.peer;

import org.apache.flink.table.functions.ScalarFunction;

/** How often a character is in a text; q14 asks for a function of one's own. */
public final class CountChar extends ScalarFunction {
  public long eval(String text, String character) {
    char wanted = character.charAt(0);
    long count = 0;
    for (int at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) count++;
    return count;
  }
}
